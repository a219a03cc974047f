"""A cleaning rule about numbers that a program wrote instead of a current: 9999, -999, 65535 and the like."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import Event, RuleOutcome, column_values, constant_text, find_runs, number_text, run_events

FAR: Final = 3.0
"""Times the largest other current: a number that programs write for "no value" is at least so large. Chosen, not
measured."""

FAR_REPEATED: Final = 30.0
"""The same for any other whole number that is written several times. Chosen, not measured."""

MOST_SHARE: Final = 0.1
"""Share of the rows with a current. A number in more rows may be a current. Chosen, not measured."""

MOST_NUMBERS: Final = 4
"""Different numbers of one record that stand for no value. Chosen, not measured."""

RESPONSE_SHARE: Final = 0.25
"""Share of the response that the other edges of the current predict: if the voltage moves by less, it does not respond.
Chosen, not measured."""

EDGE_SHARE: Final = 0.3
"""Share of the largest other current: an edge of that size shows how the voltage responds. Chosen, not measured."""

LEAST_EDGES: Final = 2
"""Least number of such edges. Chosen, not measured."""

STILL_VOLT: Final = 0.02
"""V: if no edge shows how the voltage responds, it moves by less than this. Chosen, not measured."""

INTEGER_ENDS: Final = ("32767", "32768", "65535", "2147483647", "2147483648", "4294967295")
"""Digits of the largest and smallest whole numbers that a computer's integers hold."""


def current_sentinel(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Take numbers that a program wrote instead of a current as missing; ``current_missing`` fills them.

    Such a number is far above all other currents, and made of nines (9999, -999), or the end of a computer's integers,
    or a whole number that is repeated exactly. The voltage beside it shows no response to so large a current, or is the
    same number. A real pulse moves the voltage.
    """
    current = column_values(frame, c.CURRENT)
    size = np.abs(current)
    largest = float(np.nanmax(size, initial=0.0))
    known = int(np.isfinite(size).sum())
    few = int(MOST_SHARE * known)
    if not few or not largest > FAR * _largest_but(size, few):
        return RuleOutcome(frame)
    voltage = column_values(frame, c.VOLTAGE)
    numbers, usual = _far_numbers(size)
    others = np.where(np.isin(size, numbers), np.nan, current)
    sentinel = np.zeros(len(current), dtype=bool)
    for number in numbers:
        rows = size == number
        if _stands_for_nothing(number, int(rows.sum()), few, usual) and not _responds(
            voltage, others, rows, number, usual
        ):
            sentinel |= rows
    if not sentinel.any():
        return RuleOutcome(frame)
    events: list[Event] = run_events(
        frame,
        sentinel,
        "current_missing",
        number_text(current, "A"),
        constant_text("missing: a number for no value, to which the voltage does not respond"),
        constant_text("taken as missing"),
    )
    return RuleOutcome(frame.assign(**{c.CURRENT: np.where(sentinel, np.nan, current)}), tuple(events))


def _largest_but(size: Floats, few: int) -> float:
    """Return the largest current without sign if the few largest ones are left out."""
    known = size[np.isfinite(size)]
    return float(np.partition(known, len(known) - 1 - few)[len(known) - 1 - few])


def _far_numbers(size: Floats) -> tuple[list[float], float]:
    """Return the currents without sign that are far above all others, and the largest other one.

    Args:
        size: A, the currents without sign, shape (n,), NaN where missing.
    """
    numbers: list[float] = []
    rest = size
    for _ in range(MOST_NUMBERS + 1):
        numbers.append(float(np.nanmax(rest, initial=0.0)))
        rest = rest[rest < numbers[-1]]
    gaps = [k for k in range(MOST_NUMBERS) if numbers[k] > FAR * numbers[k + 1] > 0.0]
    if not gaps:
        return [], numbers[0]
    return numbers[: gaps[-1] + 1], numbers[gaps[-1] + 1]


def _stands_for_nothing(number: float, count: int, few: int, usual: float) -> bool:
    """Tell whether a number is one that programs write for no value, by its form and how often it is there.

    Args:
        number: A, without sign.
        count: rows with it.
        few: most rows that it may have.
        usual: A, the largest other current without sign.
    """
    if count > few:
        return False
    if _has_form(number):
        return number > FAR * usual
    return count > 1 and number == round(number) and number > FAR_REPEATED * usual


def _has_form(number: float) -> bool:
    """Tell whether a number, in whatever unit, is made of nines or the end of a computer's integers."""
    digits = f"{abs(number):.10g}".replace(".", "").strip("0")
    return (len(digits) >= 3 and set(digits) == {"9"}) or digits in INTEGER_ENDS


def _responds(voltage: Floats, others: Floats, rows: Mask, number: float, usual: float) -> bool:
    """Tell whether the voltage leaves the range of its neighbours as under a current of this size.

    Args:
        voltage: V, shape (n,).
        others: A, the other currents, NaN in these rows, shape (n,).
        rows: with the number, shape (n,).
        number, usual: A, without sign: the number, and the largest other current.
    """
    resistance = _edge_resistance(voltage, others, usual)
    least = STILL_VOLT if resistance is None else max(RESPONSE_SHARE * resistance * number, STILL_VOLT)
    moved: list[bool] = []
    first, length = find_runs(rows)
    for a, n in zip(first.tolist(), length.tolist(), strict=True):
        inside = voltage[a : a + n]
        inside = inside[np.isfinite(inside) & (np.abs(inside) != number)]
        beside = voltage[[k for k in (a - 1, a + n) if 0 <= k < len(voltage)]]
        if len(inside) and np.isfinite(beside).any():
            low, high = float(np.nanmin(beside)), float(np.nanmax(beside))
            moved.append(max(low - float(inside.min()), float(inside.max()) - high) > least)
    return 2 * sum(moved) > len(moved)


def _edge_resistance(voltage: Floats, current: Floats, usual: float) -> float | None:
    """Return the median of |dV / dI| over large edges of the current in ohm; ``None`` if there are too few."""
    jump = np.abs(np.diff(current))
    rise = np.abs(np.diff(voltage))
    edges: Integers = np.flatnonzero((jump > EDGE_SHARE * usual) & np.isfinite(rise))
    if len(edges) < LEAST_EDGES:
        return None
    return float(np.median(rise[edges] / jump[edges]))
