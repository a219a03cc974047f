"""What cleaning did, as marks for a figure: which samples each rule touched, changed or took out, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ..data import columns as c
from ..data.arrays import Floats, Indices, Mask
from ..data.convert import SECONDS_PER_HOUR
from ..data.rules import RULES
from .raw_rows import BeforeAndAfter

WHOLE_SHARE: Final = 0.2
"""Share of the samples above which a rule's are not marked one by one: the raw line shows what it changed."""

NEAR_SHARE: Final = 1.0 / 3.0
COLUMNS_BY_QUANTITY: Final = {
    "voltage": {c.VOLTAGE},
    "current": {c.CURRENT},
    "temperature": {c.SURFACE_TEMPERATURE, c.AMBIENT_TEMPERATURE},
    "chamber": {c.SURFACE_TEMPERATURE, c.AMBIENT_TEMPERATURE},
    "step": {c.STEP_COUNT},
    "cycle": {c.CYCLE_COUNT},
    "time": set[str](),
    "duplicate": set[str](),
}
"""Which columns a rule is about, by the first word of its code; others are marked wherever they changed a value."""

BINS: Final = (1500, 300)
"""Places along and across a panel: of marks on one place the first stands for all."""


@dataclass(frozen=True, slots=True, eq=False)
class RuleMarks:
    """The samples that one rule touched, and the rows that it took out.

    Args:
        rows: number of both.
        touched: shape (samples,).
        taken: shape (quarantined rows,).
        one_by_one: false where the rule touched too much of the record to mark each sample.
    """

    code: str
    rows: int
    touched: Mask
    taken: Mask
    one_by_one: bool


def find_marks(record: BeforeAndAfter, findings: Sequence[Mapping[str, Any]] = ()) -> list[RuleMarks]:
    """Return the marks of every rule that touched a sample or took one out, in the order of their bits.

    Args:
        findings: rows of the catalog; rules that flagged nothing (steps counted anew) come last, marked where their
            findings begin.
    """
    flags = record.samples[c.FLAGS].to_numpy(dtype=np.int64)
    by = record.quarantined["rule"].to_numpy(dtype=object)
    codes = {rule.code: flags >> rule.bit & 1 == 1 for rule in RULES}
    for code in by:
        codes.setdefault(str(code), np.zeros(len(flags), dtype=bool))
    marks = []
    for code, touched in codes.items():
        taken: Mask = np.asarray(by == code, dtype=bool)
        rows = int(touched.sum() + taken.sum())
        if rows:
            marks.append(RuleMarks(code, rows, touched, taken, bool(touched.sum() <= WHOLE_SHARE * len(flags))))
    known = {rule.code for rule in marks}
    for code in dict.fromkeys(str(row["rule"]) for row in findings):
        told = [row for row in findings if row["rule"] == code]
        begins = _begins(record.samples, told)
        if code not in known and begins.any():
            marks.append(RuleMarks(code, sum(row["rows"] for row in told), begins, np.zeros(len(by), bool), False))
    return marks


def _begins(samples: pd.DataFrame, findings: Sequence[Mapping[str, Any]]) -> Mask:
    """Tell of each sample whether it is the first of a finding."""
    index, row = (samples[name].to_numpy() for name in (c.SOURCE_INDEX, c.SOURCE_ROW))
    begins = np.zeros(len(samples), dtype=bool)
    for finding in findings:
        begins |= (index == finding["source_index"]) & (row == finding["source_row"])
    return begins


def find_changes(raw: Floats, cleaned: Floats) -> Mask:
    """Tell where two columns differ; two missing values are the same."""
    differ: Mask = ~((raw == cleaned) | (np.isnan(raw) & np.isnan(cleaned)))
    return differ


def is_marked_in(code: str, column: str) -> bool:
    """Tell whether a rule's samples are marked in the panel of a cleaned column."""
    about = COLUMNS_BY_QUANTITY.get(code.partition("_")[0])
    return about is None or column in about


def limits(raw: Floats, cleaned: Floats, marked: Mask, least_room: float = 0.0) -> tuple[float, float]:
    """Return the range of a panel: of the cleaned values and of the raw ones that are not marked one by one.

    A spike to ten times the voltage must not press the record flat; it is drawn at the edge. One that goes no further
    than a third of the range beyond it is shown where it is.

    Args:
        least_room: beneath the lowest and above the highest value, at least.
    """
    shown = np.concatenate([cleaned, raw[~marked]])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        return 0.0, 1.0
    low, high = float(shown.min()), float(shown.max())
    margin = NEAR_SHARE * (high - low)
    near = raw[(raw >= low - margin) & (raw <= high + margin)]
    low, high = min(low, float(near.min(initial=low))), max(high, float(near.max(initial=high)))
    room = max(0.08 * (high - low), least_room) or 0.05 * max(abs(high), 1.0)
    return low - room, high + room


def hours(frame: pd.DataFrame) -> Floats:
    """Return the test time in hours."""
    time: Floats = frame[c.TEST_TIME].to_numpy(dtype=np.float64) / SECONDS_PER_HOUR
    return time


def thin_marks(time: Floats, values: Floats, within: tuple[float, float], span: tuple[float, float]) -> Indices:
    """Return the places of marks that do not lie on an earlier one, at a figure's resolution.

    Args:
        time, values: of each mark, finite.
        within, span: the panel's range of times and of values.
    """
    across = np.clip((time - within[0]) / max(within[1] - within[0], 1e-12), 0.0, 1.0) * BINS[0]
    along = np.clip((values - span[0]) / max(span[1] - span[0], 1e-12), 0.0, 1.0) * BINS[1]
    place = across.astype(np.int64) * (BINS[1] + 2) + along.astype(np.int64)
    return np.unique(place, return_index=True)[1]
