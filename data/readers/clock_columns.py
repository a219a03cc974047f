"""Settle the unit of a time without one by another time whose unit the file names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from .. import columns as c
from ..arrays import Floats
from ..convert import FACTORS
from ..settings import ColumnMapping
from .csv_values import clean_text, is_number, parse_durations, value_kind
from .number_signs import plain_number

LEAST_INTERVALS: Final = 4
"""Least number of intervals between sampled rows that must agree. Chosen, not measured."""

AGREEING_SHARE: Final = 0.8
"""Least share of these intervals that agree with a unit. Chosen, not measured."""

RATIO: Final = 0.02
"""Share by which the ratio of two clocks may differ from that of their units. Chosen, not measured."""


def with_named_unit(
    mappings: Sequence[ColumnMapping], names: Sequence[str], sample: Sequence[Sequence[str]]
) -> tuple[ColumnMapping, ...]:
    """Return the mappings with the unit of a time that the header does not name, by the other time's named unit.

    The test time and the time within steps grow by the same between two rows of a step. If the header names the unit
    of one of them, or one is written as hours, minutes and seconds, the other one's unit follows; s is left unnamed.

    Args:
        mappings: as guessed from the names.
        names: of the columns.
        sample: some rows, as texts, in the order of the file.
    """
    by_target = {mapping.target: mapping for mapping in mappings}
    if not {c.TEST_TIME, c.STEP_TIME} <= set(by_target):
        return tuple(mappings)
    named, unnamed = by_target[c.STEP_TIME], by_target[c.TEST_TIME]
    texts = {mapping.target: _texts(mapping, names, sample) for mapping in (named, unnamed)}
    has_unit = [bool(mapping.unit) or value_kind(texts[mapping.target]) == "duration" for mapping in (named, unnamed)]
    if has_unit[0] == has_unit[1]:
        return tuple(mappings)
    if has_unit[1]:
        named, unnamed = unnamed, named
    true = _seconds(texts[named.target], named.unit)
    unit = _unit_of(np.diff(true), np.diff(_seconds(texts[unnamed.target], "")))
    if unit in ("", "s"):
        return tuple(mappings)
    return tuple(replace(mapping, unit=unit) if mapping is unnamed else mapping for mapping in mappings)


def _texts(mapping: ColumnMapping, names: Sequence[str], sample: Sequence[Sequence[str]]) -> list[str]:
    index = list(names).index(mapping.column)
    return [row[index] if index < len(row) else "" for row in sample]


def _seconds(texts: Sequence[str], unit: str) -> Floats:
    """Return sampled times in s by their unit, shape (rows,); NaN where a text is no time."""
    if value_kind(texts) == "duration":
        return parse_durations(clean_text(pa.array(list(texts), pa.string())))
    numbers = [plain_number(text.strip()) if is_number(text.strip()) else np.nan for text in texts]
    return np.array(numbers) * FACTORS["second"].get(unit, 1.0)


def _unit_of(true: Floats, read: Floats) -> str:
    """Return the unit in which a clock grew as another one did in s; "" if no unit fits.

    Args:
        true: s, shape (rows - 1,).
        read: in the unknown unit, shape (rows - 1,).
    """
    grown = (true > 0.0) & (read > 0.0)
    if int(grown.sum()) < LEAST_INTERVALS:
        return ""
    ratio = true[grown] / read[grown]
    for unit, factor in FACTORS["second"].items():
        if float((np.abs(ratio / factor - 1.0) <= RATIO).mean()) >= AGREEING_SHARE:
            return unit
    return ""
