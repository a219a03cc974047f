"""Documented commands exist, links lead somewhere, and numbers and names are those of the code."""

from __future__ import annotations

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from kilocell.runner.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(text: str) -> list[list[str]]:
    """Every ``kilocell ...`` line of the page's code blocks, and every inline one."""
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`(kilocell [^`]*)`", text)
    found = [line.split(" #")[0] for line in [*lines, *inline] if line.startswith("kilocell ")]
    return [shlex.split(line)[1:] for line in found]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_documented_commands_exist_with_their_options(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0].startswith("-"):
            continue
        command = cli.commands.get(words[0])
        assert command is not None, f"{page.name}: kilocell {words[0]}"
        if isinstance(command, click.Group):
            command = command.commands.get([*words, ""][1], command.commands["show"])
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
        for word in words[1:]:
            if word.startswith("--") or re.fullmatch(r"-[a-z]", word):
                assert word.split("=")[0] in known, f"{page.name}: kilocell {' '.join(words)}"


def test_the_readme_names_every_command() -> None:
    named = {words[0] for words in commands((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert set(cli.commands) <= named


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


COMMANDS = [
    *cli.commands.values(),
    *(c for g in cli.commands.values() if isinstance(g, click.Group) for c in g.commands.values()),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[str(command.name) for command in COMMANDS])
def test_every_option_has_a_help_text(command: click.Command) -> None:
    assert command.get_short_help_str(200)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("layout", "out", "store"):
            assert parameter.help, f"{command.name} {parameter.opts}"


def raises_a_reason(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("Error")


def reason_codes(path: Path) -> Iterator[str]:
    """The codes of the errors that a file raises.

    They are second arguments, also by name, what a loop gives as ``code``, and the values of a constant ``..._CODE``.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        texts: list[ast.AST] = []
        if isinstance(node, ast.Call) and raises_a_reason(node):
            texts = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "code")]
        elif isinstance(node, ast.For) and "code" in ast.unparse(node.target):
            texts = list(ast.walk(node.iter)) if any(map(raises_a_reason, ast.walk(node))) else []
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target).endswith("VALUES_CODE"):
            texts = list(ast.walk(node.value)) if node.value is not None else []
        yield from (text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str))


def test_every_reason_of_a_failure_is_explained() -> None:
    page = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    first_cells = " ".join(re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE))
    explained = set(re.findall(r"`(\w+)`", first_cells))
    raised = {
        code for room in ("jobs", "runner") for path in (ROOT / room).rglob("*.py") for code in reason_codes(path)
    }
    assert {"left_range", "no_current", "earlier_job", "rest_only"} <= raised
    assert raised <= explained, f"docs/replay.md does not say what to do about {sorted(raised - explained)}"


@pytest.fixture
def virtual_records(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the figures of the documents are drawn from."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "figures")
    yield __import__("virtual_records")
    sys.modules.pop("virtual_records")


def test_the_models_distances_are_those_of_the_page(virtual_records: Any) -> None:
    """One row of the table in docs/models.md, measured again: 1C, RMSE of SPM, SPMe and DFN against a virtual DFN."""
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| 1 | "))
    written = [float(number) for number in row.strip("| ").split(" | ")[1:]]
    cell = virtual_records.Set()
    record = virtual_records.discharged(1.0, cell)
    found = [virtual_records.rmse_mv(model, record, cell) for model in virtual_records.MODELS]
    assert found == pytest.approx(written, rel=0.02, abs=0.3)
    assert found[2] < 0.5 < found[1] < found[0]
