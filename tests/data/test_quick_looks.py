"""The quick first looks at the sample of a CSV file decide as the look at each text does."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pytest
from kilocell.data.readers import csv_values, number_signs

TEXTS = (
    *("1.5", "-2", "+.5", "7.", "1e5", "1E-3", " 3.25 ", "1_000", "1e999", "inf", "nan", "", "NaN", "1,234", "1 234.5"),
    *("12.345", "1.234", "0,5", "1.234.567", "\u0663", "2024-03-30 12:02:08.037", "2024-02-29 00:00:00", "CHA"),
    *("2023-12-31T23:59:59", "00:10:05", "1d 00:00:01", "3/4/2024 10:00"),
)


def test_the_kind_of_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(5)
    columns: list[list[str]] = [[], *([text] for text in TEXTS)]
    columns += [generator.choice(generator.choice(TEXTS, 3), 9).tolist() for _ in range(300)]
    quick = [csv_values.value_kind(column) for column in columns]
    monkeypatch.setattr(csv_values, "are_plain_numbers", lambda texts: False)
    monkeypatch.setattr(csv_values, "_are_plain_iso", lambda texts: False)
    assert [csv_values.value_kind(column) for column in columns] == quick
    assert set(quick) == {"number", "duration", "datetime", "text", "empty"}


def test_dates_that_are_recognised_at_a_glance_are_in_every_year() -> None:
    for month in range(14):
        for day in range(33):
            try:
                date(2023, month, day)
                exists = True
            except ValueError:
                exists = False
            form = csv_values._PLAIN_ISO.fullmatch(f"2024-{month:02d}-{day:02d} 10:00:00")
            assert (form is not None) == exists, (month, day)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_signs_of_numbers(monkeypatch: pytest.MonkeyPatch, delimiter: str) -> None:
    generator = np.random.default_rng(7)
    tables = [generator.choice(generator.choice(TEXTS, 4), (6, 3)).tolist() for _ in range(300)]
    quick = [number_signs.find_number_signs(rows, list, delimiter) for rows in tables]
    monkeypatch.setattr(number_signs, "_LINE_BEGINS_GROUPED", re.compile(""))
    assert [number_signs.find_number_signs(rows, list, delimiter) for rows in tables] == quick
    assert len(set(quick)) > 2
