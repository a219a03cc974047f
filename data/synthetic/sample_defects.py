"""Typical defects of a lab, planted on purpose in a clean record and listed, to test cleaning with them.

Each kind has the code of the rule in ``data/rules.py`` that should find it. Their causes in a lab:

``time_restart``
    The computer that writes the times restarts, and its clock is an hour late (time zone, summer time). From one row of
    a rest on, all datetimes are an hour too early. The cycler continued, so no samples are missing.
``time_gap``
    A power cut of 40 min during a rest: no rows and no current. Afterwards the cycler continues its schedule.
``lost_contact``
    The measuring leads are detached within a step: current and voltage read about zero. The cell is unaffected.
``duplicate_time``
    A second row with the same time and a wrong voltage, before or after the correct row.
``current_offset``
    All currents of the channel are too high by the same amount; its voltages are correct.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .channel_defects import CHANNEL_PLANTS
from .cycler import DIGITS
from .planting import CONSTANT_CURRENT_PER_AH, MARGIN_ROWS, REST_PER_AH, Bench, Defect, Plant, find_runs

CLOCK_LOST_MS: Final = 3_601_783
"""Time that the clock loses at a restart (ms): an hour, and a small error of the clock."""

POWER_CUT_MS: Final = 2_400_000
"""Duration of a power cut (ms)."""

OFFSET_PER_AH: Final = 0.0015
"""Offset of the current (A per A.h of nominal capacity); the noise of the channels is 0.0002."""


def _make_missing(column: str) -> Plant:
    def plant(bench: Bench, length: int) -> None:
        where = bench.rows_above_current(CONSTANT_CURRENT_PER_AH) if column == "current" else None
        first = bench.claim_free_rows(length, where)
        if first is not None:
            rows = slice(first, first + length)
            bench.note(f"{column}_missing", rows, column, bench.columns[column][rows])
            bench.columns[column][rows] = np.nan

    return plant


def _duplicate_row(bench: Bench, length: int) -> None:
    for _ in range(length):
        row = bench.claim_free_rows(1)
        if row is not None:
            bench.repeat(row)
            bench.note("duplicate_row", row + 1, "", "the row above, once")


def _duplicate_time(bench: Bench, length: int) -> None:
    for _ in range(length):
        row = bench.claim_free_rows(1)
        if row is not None:
            bench.repeat(row)
            wrong = row + int(bench.rng.integers(2))
            bench.note("duplicate_time", wrong, "voltage", bench.columns["voltage"][wrong])
            _shift_voltage(bench, wrong, 0.05, 0.2)


def _swapped(bench: Bench, length: int) -> None:
    for _ in range(length):
        row = bench.claim_free_rows(2)
        if row is not None:
            order = np.arange(len(bench.free))
            order[row], order[row + 1] = row + 1, row
            bench.take(order)
            bench.note("time_order", slice(row, row + 2), "", "the two rows the other way round")


def _spike(bench: Bench, length: int) -> None:
    for _ in range(length):
        row = bench.claim_free_rows(1)
        if row is not None:
            bench.note("voltage_spike", row, "voltage", bench.columns["voltage"][row])
            _shift_voltage(bench, row, 0.15, 0.6)


def _shift_voltage(bench: Bench, row: int, least: float, most: float) -> None:
    shift = bench.rng.uniform(least, most) * bench.rng.choice((-1, 1))
    bench.columns["voltage"][row] = np.round(bench.columns["voltage"][row] + shift, DIGITS["voltage"])


def _lost_contact(bench: Bench, length: int) -> None:
    first = bench.claim_free_rows(length, bench.rows_above_current(CONSTANT_CURRENT_PER_AH))
    if first is None:
        return
    rows = slice(first, first + length)
    before = np.stack([bench.columns["current"][rows], bench.columns["voltage"][rows]], axis=1)
    bench.note("lost_contact", rows, "current,voltage", before)
    noise = bench.rng.standard_normal(length) * 0.0002 * bench.nominal_capacity_ah
    bench.columns["current"][rows] = np.round(noise, DIGITS["current"])
    bench.columns["voltage"][rows] = np.round(bench.rng.uniform(0.01, 0.12, length), DIGITS["voltage"])


def _step_glitch(bench: Bench, length: int) -> None:
    first = bench.claim_free_rows(length)
    if first is not None:
        rows = slice(first, first + length)
        bench.note("step_glitch", rows, "step", bench.columns["step"][rows])
        bench.columns["step"][rows] += int(bench.rng.integers(5, 10))


def _cycle_jump(bench: Bench, length: int) -> None:
    later = np.flatnonzero(bench.columns["cycle"] > bench.columns["cycle"][0])
    if len(later):
        bench.note("cycle_jump", int(later[0]), "cycle", bench.columns["cycle"][later[0]], to_the_end=True)
        bench.columns["cycle"][later[0] :] += length


def _time_restart(bench: Bench, length: int) -> None:
    row = bench.claim_free_rows(1, ~bench.rows_above_current(REST_PER_AH))
    if row is not None:
        bench.note("time_restart", row, "time", f"datetimes {CLOCK_LOST_MS} ms later", to_the_end=True)
        bench.columns["time_ms"][row:] -= CLOCK_LOST_MS


def _time_gap(bench: Bench, length: int) -> None:
    """Remove rows from the longest rest in which some rows remain before and after the gap."""
    rests = find_runs(~bench.rows_above_current(REST_PER_AH))
    rests.sort(key=lambda rest: rest[0] - rest[1])  # the longest first
    time_ms = bench.columns["time_ms"]
    for first, end in rests:
        cut = first + 1 + int(bench.rng.integers(5, 15))
        after = int(np.searchsorted(time_ms[:end], time_ms[min(cut, end - 1)] + POWER_CUT_MS))
        if after < end - 10 and bench.free[cut : after + 1].all():
            order = np.concatenate([np.arange(cut), np.arange(after, len(bench.free))])
            bench.take(order)
            bench.free[cut - MARGIN_ROWS : cut + MARGIN_ROWS] = False
            bench.note("time_gap", cut, "", f"{after - cut} rows of the rest before this one")
            return


def _current_offset(bench: Bench, length: int) -> None:
    offset = round(OFFSET_PER_AH * bench.nominal_capacity_ah, DIGITS["current"])
    bench.columns["current"] = np.round(bench.columns["current"] + offset, DIGITS["current"])
    bench.planted.append(Defect("current_offset", (0,), True, "current", f"every current lower by {offset:.5f} A"))


SAMPLE_PLANTS: Final[dict[str, Plant]] = {
    "time_gap": _time_gap,
    "current_offset": _current_offset,
    "cycle_jump": _cycle_jump,
    "voltage_missing": _make_missing("voltage"),
    "current_missing": _make_missing("current"),
    "temperature_missing": _make_missing("temperature"),
    "lost_contact": _lost_contact,
    "step_glitch": _step_glitch,
    "voltage_spike": _spike,
    "duplicate_row": _duplicate_row,
    "duplicate_time": _duplicate_time,
    "time_order": _swapped,
    "time_restart": _time_restart,
    **CHANNEL_PLANTS,
}
"""The function that plants each defect."""
