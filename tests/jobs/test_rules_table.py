"""The page about cleaning says what the code does."""

from __future__ import annotations

from pathlib import Path

from kilocell.data.rules import RULES
from kilocell.jobs.cleaning.clean import INDEX_AND_SIGNAL_RULES
from rules_table import rules_table, thresholds

PAGE = Path(__file__).parents[2] / "docs" / "cleaning.md"


def test_the_page_has_the_rules_as_they_are() -> None:
    words = "docs/cleaning.md is behind the code: put the output of `python tests/jobs/rules_table.py` into it"
    assert rules_table() in PAGE.read_text(encoding="utf-8"), words


def test_every_rule_is_in_the_table() -> None:
    assert all(f"| `{rule.code}` |" in rules_table() for rule in RULES)


def test_settings_are_found_through_the_functions_that_a_rule_calls() -> None:
    rule = {rule.__name__: rule for rule in INDEX_AND_SIGNAL_RULES}
    assert thresholds(rule["temperature_jump"]) == {"temperature_jump_celsius"}
    assert {"fill_samples", "rest_current_per_ah"} <= thresholds(rule["current_missing"])
