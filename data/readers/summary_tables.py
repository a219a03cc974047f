"""Recognise a table that has one row for each step or cycle: a summary, which holds no sampled current and voltage."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from .. import columns as c
from ..arrays import Floats
from ..file_names import has_summary_name
from ..settings import ColumnMapping

LEAST_ROWS: Final = 3
"""Rows from which on a table shows that it has one row for each step or cycle. Chosen, not measured."""

ONE_ROW_SHARE: Final = 0.9
"""Share of the steps that have one row only. Chosen, not measured."""

CYCLE_SECOND: Final = 300.0
"""s: shortest usual time between two cycles. A number that counts faster counts rows. Chosen, not measured."""

SUMMARY_COLUMNS: Final = 2
"""Number of columns of a summary from which on a table with one row for each step is one. Chosen, not measured."""

_STATISTIC: Final = re.compile(
    r"(?:^|[^a-z])(?:start|begin|beginning|onset|end|ending|final|max|min|maximum|minimum|mean|avg|average|median|duration"
    r"|efficiency|retention|ce|ended|started)(?:$|[^a-z])"
)
_UPPER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

OneRowPer = Literal["", "step", "cycle"]

ADVICE: Final = "it holds no sampled current and voltage; leave it out, and use the record that it was made from"


def one_row_per(cycle: Floats, step: Floats, time_second: Floats) -> OneRowPer:
    """Tell whether a table has one row for each cycle or step.

    Args:
        cycle, step: the file's numbers, shape (n,), NaN where missing.
        time_second: s, shape (n,), NaN where missing.

    Returns:
        ``cycle`` if the cycle number rises by one in every row, and hours or minutes pass between rows; ``step`` if
        nearly every row has another step than its neighbours; ``""`` if neither.
    """
    if len(cycle) < LEAST_ROWS:
        return ""
    counts = (
        np.isfinite(cycle).all() and bool((np.diff(cycle) >= 1.0).all()) and float(np.median(np.diff(cycle))) == 1.0
    )
    seconds = np.diff(time_second)
    seconds = seconds[np.isfinite(seconds)]
    if counts and len(seconds) and float(np.median(seconds)) >= CYCLE_SECOND:
        return "cycle"
    if not np.isfinite(step).all():
        return ""
    changes = (np.diff(step) != 0.0) | (np.diff(np.nan_to_num(cycle)) != 0.0)
    return "step" if float(changes.mean()) >= ONE_ROW_SHARE else ""


def count_summary_columns(names: Sequence[str]) -> int:
    """Return the number of columns that only a summary has, such as ``End Voltage(V)`` or ``Max current``.

    Args:
        names: of the header.
    """
    return sum(_STATISTIC.search(_UPPER.sub(" ", name).lower()) is not None for name in names)


def is_summary(per: OneRowPer, file_name: str, names: Sequence[str] = ()) -> bool:
    """Tell whether a table is a summary and no record.

    One row for each step alone does not show it: a cycler may log the last row of each step only.

    Args:
        per: of :func:`one_row_per`.
        file_name: of the table.
        names: of its header, if known.
    """
    if per == "cycle":
        return True
    return per == "step" and (has_summary_name(file_name) or count_summary_columns(names) >= SUMMARY_COLUMNS)


def summary_reason(
    file_name: str, names: Sequence[str], sample: Sequence[Sequence[str]], columns: Sequence[ColumnMapping]
) -> str:
    """Return why a table is a summary and no record; ``""`` if it may be a record.

    Args:
        file_name: of the table.
        names: of its header.
        sample: some of its rows, the first ones in the order of the file.
        columns: the quantity in each column.
    """
    values = {mapping.target: _numbers(mapping.column, names, sample) for mapping in columns}
    missing: Floats = np.full(len(sample), np.nan)
    unit = next((mapping.unit for mapping in columns if mapping.target == c.TEST_TIME), "")

    second: Floats = values.get(c.TEST_TIME, missing) * _SECONDS.get(unit, 1.0)
    per = one_row_per(values.get(c.CYCLE_ID, missing), values.get(c.STEP_ID, missing), second)
    if per == "" and not np.isfinite(second).any():
        per = _per_cycle_without_time(values.get(c.CYCLE_ID, missing), file_name, names)
    if not is_summary(per, file_name, names):
        return ""
    return f"this is a table with one row for each {per}, not a record: {ADVICE}"


_SECONDS: Final = {"ms": 1e-3, "min": 60.0, "h": 3600.0, "d": 86400.0}
"""s in the units of a test time; all others count as s."""


def _per_cycle_without_time(cycle: Floats, file_name: str, names: Sequence[str]) -> OneRowPer:
    """Tell the same of a table whose time is a date: then its name or its columns must say so, too."""
    hours: Floats = np.arange(len(cycle), dtype=np.float64) * CYCLE_SECOND
    says_so = has_summary_name(file_name) or count_summary_columns(names) >= SUMMARY_COLUMNS
    return one_row_per(cycle, np.full(len(cycle), np.nan), hours) if says_so else ""


def _numbers(column: str, names: Sequence[str], sample: Sequence[Sequence[str]]) -> Floats:
    """Return the numbers of a column of the sample, shape (rows,); NaN for other text."""
    numbers = np.full(len(sample), np.nan)
    if column not in names:
        return numbers
    index = list(names).index(column)
    for row, values in enumerate(sample):
        if index < len(values):
            try:
                numbers[row] = float(values[index].strip().replace(",", "."))
            except ValueError:
                continue
    return numbers
