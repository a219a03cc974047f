"""More typical defects of a lab, planted on purpose: in thermocouples, numbers, clocks and complete channels.

``temperature_range``
    The thermocouple is unplugged and reads -2500 °C. ``temperature_jump``: it is detached, in hot air;
    ``temperature_noise``: its contact is loose; ``temperature_stuck``: its amplifier repeats one value.
``voltage_range``
    The voltage channel is saturated. ``voltage_stuck``: it repeats its last value under current.
``number_unreadable``
    The export wrote text instead of a number. ``time_missing``: the row has no time.
``time_resolution``
    The export wrote whole seconds, so several samples after an edge have the same time.
``impedance_row``
    An impedance analyser was connected in a rest and wrote its own rows, with a voltage below -1 V, as a separate step.
``chamber_off``
    The chamber drifts by 6 °C within an hour, and returns after a rest. Planted before all others.
``current_sign``, ``step_renumbered``
    The cycler counts discharge as positive; its step numbers do not start at 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .cycler import DIGITS, MISSING_MS, UNREADABLE_VALUE
from .planting import CONSTANT_CURRENT_PER_AH, MARGIN_ROWS, REST_PER_AH, Bench, Defect, Plant, find_runs

HOT_CELSIUS: Final = 85.0
"""Reading of a detached thermocouple (°C)."""

NOISE_CELSIUS: Final = 3.0
"""Standard deviation of a thermocouple with a loose contact (°C)."""

DRIFT_CELSIUS: Final = 6.0
"""Deviation of the chamber from its setpoint (°C)."""

HOUR_MS: Final = 3_600_000
LONG_REST_MS: Final = 6_000_000
"""Shortest rest in which the chamber can be off (ms): the cell must reach its temperature."""

LEAST_STUCK_MS: Final = 2_000_000
"""Shortest time for which a temperature is stuck (ms)."""

STUCK_SHARE: Final = 0.15
"""Charge that passes while the voltage is stuck, as a share of the capacity."""


def _freeze_channel(rule: str, column: str, value: float) -> Plant:
    """Return a plant that gives a channel one value over some rows."""

    def plant(bench: Bench, length: int) -> None:
        first = bench.claim_free_rows(length)
        if first is not None:
            rows = slice(first, first + length)
            bench.note(rule, rows, column, bench.columns[column][rows])
            bench.columns[column][rows] = value

    return plant


def _lose_single_rows(rule: str, column: str, value: float) -> Plant:
    """Return a plant that gives a column one value in single rows."""

    def plant(bench: Bench, length: int) -> None:
        for _ in range(length):
            row = bench.claim_free_rows(1)
            if row is not None:
                bench.note(rule, row, column, bench.columns[column][row])
                bench.columns[column][row] = value

    return plant


def _current_spike(bench: Bench, length: int) -> None:
    for _ in range(length):
        row = bench.claim_free_rows(1, bench.rows_above_current(CONSTANT_CURRENT_PER_AH))
        if row is not None:
            current = bench.columns["current"]
            bench.note("current_spike", row, "current", current[row])
            shift = bench.rng.uniform(1.5, 3.0) * bench.rng.choice((-1, 1)) * bench.nominal_capacity_ah
            current[row] = np.round(current[row] + shift, DIGITS["current"])


def _temperature_noise(bench: Bench, length: int) -> None:
    first = bench.claim_free_rows(length)
    if first is not None:
        rows = slice(first, first + length)
        temperature = bench.columns["temperature"]
        bench.note("temperature_noise", rows, "temperature", temperature[rows])
        loose = temperature[rows] + NOISE_CELSIUS * bench.rng.standard_normal(length)
        temperature[rows] = np.round(loose, DIGITS["temperature"])


def _temperature_stuck(bench: Bench, length: int) -> None:
    """Freeze the temperature for an hour at a high current, or as long as that current lasts."""
    current = np.abs(bench.columns["current"]) / bench.nominal_capacity_ah
    high = float(np.quantile(current[current > CONSTANT_CURRENT_PER_AH], 0.75))
    span = _longest(bench, bench.rows_above_current(0.95 * high), 60)
    if span is not None:
        time_ms = bench.columns["time_ms"]
        end = int(np.searchsorted(time_ms[span], time_ms[span.start] + HOUR_MS))
        rows = slice(span.start, span.start + end)
        if time_ms[rows.stop - 1] - time_ms[rows.start] < LEAST_STUCK_MS:
            return
        temperature = bench.columns["temperature"]
        bench.note("temperature_stuck", rows, "temperature", temperature[rows])
        temperature[rows] = temperature[rows.start]


def _voltage_stuck(bench: Bench, length: int) -> None:
    """Freeze the voltage while :data:`STUCK_SHARE` of the capacity passes at a constant current."""
    current = bench.columns["current"]
    time_ms = bench.columns["time_ms"]
    span = _longest(bench, bench.rows_above_current(CONSTANT_CURRENT_PER_AH) & ~_rows_of_changing_current(bench), 40)
    if span is None:
        return
    passed = np.cumsum(np.abs(current[span]) * np.diff(time_ms[span], prepend=time_ms[span.start])) / HOUR_MS
    enough = int(np.searchsorted(passed, STUCK_SHARE * bench.nominal_capacity_ah)) + 1
    rows = slice(span.start, min(max(span.start + enough, span.start + 40), span.stop))
    bench.note("voltage_stuck", rows, "voltage", bench.columns["voltage"][rows])
    bench.columns["voltage"][rows] = bench.columns["voltage"][rows.start]


def _rows_of_changing_current(bench: Bench) -> np.ndarray:
    """Find the rows of steps whose current is not constant."""
    step = bench.columns["step"]
    current = bench.columns["current"]
    first = np.flatnonzero(np.diff(step, prepend=step[:1] - 1))
    length = np.diff(np.append(first, len(step)))
    spread = np.fmax.reduceat(current, first) - np.fmin.reduceat(current, first)
    changes: np.ndarray = np.repeat(spread > 0.02 * bench.nominal_capacity_ah, length)
    return changes


def _longest(bench: Bench, where: np.ndarray, least: int) -> slice | None:
    """Claim the longest run of free rows, without a margin at both ends; ``None`` if it is shorter than ``least``."""
    runs = [slice(int(first) + MARGIN_ROWS, int(end) - MARGIN_ROWS) for first, end in find_runs(bench.free & where)]
    span = max(runs, key=lambda rows: rows.stop - rows.start, default=slice(0, 0))
    if span.stop - span.start < least:
        return None
    bench.free[span] = False
    return span


def _chamber_off(bench: Bench, length: int) -> None:
    """Shift the temperature around the longest rest, in which the cell reaches the temperature of the chamber."""
    time_ms = bench.columns["time_ms"]
    at_rest = ~bench.rows_above_current(REST_PER_AH)
    rests = [(int(time_ms[first]), int(time_ms[end - 1])) for first, end in find_runs(at_rest)]
    begin, end = max(rests, key=lambda rest: rest[1] - rest[0], default=(0, 0))
    if end - begin < LONG_REST_MS:
        return
    knots = [begin - HOUR_MS, begin, end, end + HOUR_MS]
    drift = DRIFT_CELSIUS * np.interp(time_ms, knots, [0.0, 1.0, 1.0, 0.0])
    off = (time_ms >= begin + HOUR_MS) & (time_ms <= end)
    bench.note("chamber_off", slice(int(np.argmax(off)), int(np.argmax(off) + off.sum())), "temperature", "6 °C lower")
    bench.columns["temperature"] = np.round(bench.columns["temperature"] + drift, DIGITS["temperature"])


def _impedance_row(bench: Bench, length: int) -> None:
    """Insert rows of another device in a rest, with a separate step number."""
    row = bench.claim_free_rows(1, ~bench.rows_above_current(REST_PER_AH))
    if row is None:
        return
    order = np.insert(np.arange(len(bench.free)), row, np.repeat(row, length))
    bench.take(order)
    rows = slice(row, row + length)
    apart = bench.columns["time_ms"][row + length] - bench.columns["time_ms"][row - 1]
    bench.columns["time_ms"][rows] -= np.arange(length, 0, -1) * max(int(apart) // (length + 2), 1)
    bench.columns["step"][rows] = int(bench.columns["step"].max()) + 1
    bench.columns["voltage"][rows] *= -1.0
    bench.columns["current"][rows] = 0.0
    bench.note("impedance_row", rows, "", "no rows")


def _time_resolution(bench: Bench, length: int) -> None:
    time_ms = bench.columns["time_ms"]
    bench.columns["time_ms"] = time_ms // 1000 * 1000
    bench.planted.append(Defect("time_resolution", (0,), True, "time", "times with ms"))


def _current_sign(bench: Bench, length: int) -> None:
    bench.columns["current"] = -bench.columns["current"]
    bench.planted.append(Defect("current_sign", (0,), True, "current", "every current with the other sign"))


def _step_renumbered(bench: Bench, length: int) -> None:
    bench.columns["step"] = bench.columns["step"] + length
    bench.planted.append(Defect("step_renumbered", (0,), True, "step", f"every step number lower by {length}"))


CHANNEL_PLANTS: Final[dict[str, Plant]] = {
    "step_renumbered": _step_renumbered,
    "time_resolution": _time_resolution,
    "current_sign": _current_sign,
    "temperature_stuck": _temperature_stuck,
    "voltage_stuck": _voltage_stuck,
    "chamber_off": _chamber_off,
    "temperature_noise": _temperature_noise,
    "temperature_range": _freeze_channel("temperature_range", "temperature", -2500.0),
    "temperature_jump": _freeze_channel("temperature_jump", "temperature", HOT_CELSIUS),
    "voltage_range": _freeze_channel("voltage_range", "voltage", 9.99999),
    "current_spike": _current_spike,
    "number_unreadable": _lose_single_rows("number_unreadable", "temperature", UNREADABLE_VALUE),
    "time_missing": _lose_single_rows("time_missing", "time_ms", MISSING_MS),
    "impedance_row": _impedance_row,
}
"""The function that plants each defect."""
