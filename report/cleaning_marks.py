"""Find what a figure of cleaning marks: the samples that each rule flagged, changed or quarantined."""

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
"""Largest share of the samples that a rule may flag to have a mark on each: above, the raw line shows its changes."""

NEAR_SHARE: Final = 1.0 / 3.0
"""Raw values that are at most this far outside a panel's range are inside its limits, as a share of the range."""

COLUMNS_BY_QUANTITY: Final = {
    "voltage": {c.VOLTAGE},
    "current": {c.CURRENT},
    "temperature": {c.SURFACE_TEMPERATURE, c.AMBIENT_TEMPERATURE},
    "chamber": {c.SURFACE_TEMPERATURE, c.AMBIENT_TEMPERATURE},
    "step_edge": {c.CURRENT},
    "step": {c.STEP_COUNT},
    "charge": {c.CURRENT},
    "cycle": {c.CYCLE_COUNT},
    "time": set[str](),
    "duplicate": set[str](),
}
"""A rule's code, or the first word of codes, to the columns in which it is marked. Other rules are marked in all."""

BINS: Final = (1500, 300)
"""Resolution of marks across (time) and along (value) a panel: only the first of the marks at one place is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class RuleMarks:
    """The samples that one rule flagged, and the rows that it quarantined.

    Args:
        code: the rule's code.
        rows: number of flagged samples and quarantined rows; for a rule without flags, rows of its findings.
        touched: flagged samples, shape (samples,).
        taken: quarantined rows, shape (quarantined rows,).
        one_by_one: false if the rule flagged too many samples to mark each of them.
    """

    code: str
    rows: int
    touched: Mask
    taken: Mask
    one_by_one: bool


def find_marks(record: BeforeAndAfter, findings: Sequence[Mapping[str, Any]] = ()) -> list[RuleMarks]:
    """Return the marks of every rule that flagged a sample or quarantined a row, in the order of the rules' bits.

    Args:
        record: cleaned samples, raw rows and quarantined rows.
        findings: rows of the catalog's ``findings``. A rule with findings but without flagged samples (steps that were
            renumbered) comes last, marked where its findings begin.
    """
    flags = record.samples[c.FLAGS].to_numpy(dtype=np.int64)
    quarantined_by = record.quarantined["rule"].to_numpy(dtype=object)
    touched_by_code = {rule.code: flags >> rule.bit & 1 == 1 for rule in RULES}
    for code in quarantined_by:
        touched_by_code.setdefault(str(code), np.zeros(len(flags), dtype=bool))
    marks = []
    for code, touched in touched_by_code.items():
        taken: Mask = np.asarray(quarantined_by == code, dtype=bool)
        rows = int(touched.sum() + taken.sum())
        if rows:
            marks.append(RuleMarks(code, rows, touched, taken, bool(touched.sum() <= WHOLE_SHARE * len(flags))))
    marked_codes = {rule.code for rule in marks}
    for code in dict.fromkeys(str(row["rule"]) for row in findings):
        of_rule = [row for row in findings if row["rule"] == code]
        begins = _find_begins(record.samples, of_rule)
        if code not in marked_codes and begins.any():
            nothing_taken = np.zeros(len(quarantined_by), dtype=bool)
            marks.append(RuleMarks(code, sum(row["rows"] for row in of_rule), begins, nothing_taken, False))
    return marks


def _find_begins(samples: pd.DataFrame, findings: Sequence[Mapping[str, Any]]) -> Mask:
    """Return for each sample whether it is the first one of a finding."""
    source_index = samples[c.SOURCE_INDEX].to_numpy()
    source_row = samples[c.SOURCE_ROW].to_numpy()
    begins = np.zeros(len(samples), dtype=bool)
    for finding in findings:
        begins |= (source_index == finding["source_index"]) & (source_row == finding["source_row"])
    return begins


def find_changes(raw: Floats, cleaned: Floats) -> Mask:
    """Return where two columns differ. Two missing values (NaN) are equal."""
    differ: Mask = ~((raw == cleaned) | (np.isnan(raw) & np.isnan(cleaned)))
    return differ


def is_marked_in(code: str, column: str) -> bool:
    """Tell whether the samples of a rule are marked in the panel of a cleaned column.

    Args:
        code: the rule's code.
        column: name of the cleaned column.
    """
    columns = COLUMNS_BY_QUANTITY.get(code, COLUMNS_BY_QUANTITY.get(code.partition("_")[0]))
    return columns is None or column in columns


def limits(raw: Floats, cleaned: Floats, marked: Mask, least_room: float = 0.0) -> tuple[float, float]:
    """Return the limits of a panel's value axis: the range of cleaned values and of raw values without a mark.

    A raw value with a mark widens the range only if it is at most a third of the range outside; farther values (such as
    a spike to ten times the voltage) are drawn at the edge.

    Args:
        raw: raw values of one quantity.
        cleaned: its cleaned values.
        marked: where a raw value has a mark.
        least_room: smallest margin below the lowest and above the highest value, in the quantity's unit.
    """
    shown = np.concatenate([cleaned, raw[~marked]])
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        return 0.0, 1.0
    low = float(shown.min())
    high = float(shown.max())
    margin = NEAR_SHARE * (high - low)
    near = raw[(raw >= low - margin) & (raw <= high + margin)]
    low = min(low, float(near.min(initial=low)))
    high = max(high, float(near.max(initial=high)))
    room = max(0.08 * (high - low), least_room) or 0.05 * max(abs(high), 1.0)
    return low - room, high + room


def hours(frame: pd.DataFrame) -> Floats:
    """Return the test time in hours."""
    time: Floats = frame[c.TEST_TIME].to_numpy(dtype=np.float64) / SECONDS_PER_HOUR
    return time


def thin_marks(time: Floats, values: Floats, within: tuple[float, float], span: tuple[float, float]) -> Indices:
    """Return the indices of the marks to draw: of marks that cover each other, only the first one.

    Args:
        time: of each mark, finite.
        values: of each mark, finite.
        within: the panel's range of times.
        span: the panel's range of values.
    """
    across = np.clip((time - within[0]) / max(within[1] - within[0], 1e-12), 0.0, 1.0) * BINS[0]
    along = np.clip((values - span[0]) / max(span[1] - span[0], 1e-12), 0.0, 1.0) * BINS[1]
    place = across.astype(np.int64) * (BINS[1] + 2) + along.astype(np.int64)
    return np.unique(place, return_index=True)[1]
