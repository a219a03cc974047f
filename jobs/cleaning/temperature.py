"""Cleaning rules about temperatures: a thermocouple that is off, and a chamber that is off its setpoint.

Only a temperature that no cell can have is taken as missing: one that jumps away between two samples and jumps back.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Integers, Mask
from ...data.convert import SECONDS_PER_HOUR
from ...data.settings import CleanSettings
from ..record.table import Table
from .rule import (
    Event,
    RuleOutcome,
    column_values,
    constant_text,
    find_runs,
    number_text,
    rest_current,
    run_events,
    set_flag,
)

THERMOMETERS: Final = (c.AMBIENT_TEMPERATURE, c.SURFACE_TEMPERATURE)

# temperature_jump

JUMP_SECOND: Final = 60.0
"""s: longest time of a jump of the smallest size; a larger jump may take longer in proportion. Chosen, not measured."""

JUMP_RETURN: Final = 0.3
"""Share of the jump by which the temperatures before and after may differ. Chosen, not measured."""

LONGEST_JUMP_SHARE: Final = 0.2
"""Largest share of all samples between the jumps; more are another temperature of the chamber. Chosen, not measured."""

# temperature_stuck

STUCK_SECOND: Final = 1800.0
"""s: shortest time in which a stuck temperature stays constant. Chosen, not measured."""

STUCK_CHANGES: Final = 20.0
"""Least number of changes of the value that are expected in this time. Chosen, not measured."""

STUCK_FACTOR: Final = 3.0
"""A stuck temperature stays constant this many times longer than elsewhere under as much current. Chosen, not
measured."""

AS_MUCH_CURRENT: Final = 1.1
"""Times a current: others up to this count as much as it or less. Chosen, not measured."""

AMBIENT_CHANGE_CELSIUS: Final = 5.0
"""°C: smallest change of the chamber's temperature that a cell's surface must follow. Chosen, not measured."""

# temperature_noise

NOISE_CELSIUS: Final = 1.0
"""°C: smallest standard deviation of the noise that is reported. Chosen, not measured."""

NOISE_FACTOR: Final = 20.0
"""Times the record's median noise: smallest noise that is reported. Chosen, not measured."""

NOISE_WINDOW: Final = 31
"""Number of samples around a sample in which its noise is estimated; odd. Chosen, not measured."""

NEARLY_NOISE: Final = 0.8
"""Times ``NOISE_CELSIUS``: less noise is excluded by a quick first look. Chosen, not measured."""

MEDIAN_OF_NOISE: Final = 0.6745 * 1.5**0.5
"""Median distance of a value from the line between its neighbours, in standard deviations of normally distributed noise
(this distance has 1.5 times the variance of a single value)."""

# chamber_off

SETTLE_SECOND: Final = 3600.0
"""s of rest after which a cell's surface has the chamber's temperature. Chosen, not measured."""

HOLE_SHARE: Final = 0.5
"""Share of ``chamber_second``: a longer hole without values ends a stretch. Chosen, not measured."""


def temperature_jump(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Take temperatures as missing that jump away and back, each time between two samples: the thermocouple was off.

    A jump is ``temperature_jump_celsius`` or more, and faster than that much in 60 s. The temperature must come back to
    where it was, because a chamber may really change its temperature. What never comes back is left.
    """
    events: list[Event] = []
    time = column_values(frame, c.TEST_TIME)
    for column in THERMOMETERS:
        temperature = column_values(frame, column)
        if np.isnan(temperature).all():
            continue
        off = _find_jumps_with_return(time, temperature, settings.temperature_jump_celsius)
        if off.any():
            before = number_text(temperature, "°C")
            events += run_events(
                frame, off, "temperature_jump", before, constant_text("missing"), constant_text("taken as missing")
            )
            frame = frame.assign(**{column: np.where(off, np.nan, temperature)})
            frame = set_flag(frame, off, "temperature_jump")
    return RuleOutcome(frame, tuple(events))


def _find_jumps_with_return(time: Floats, temperature: Floats, least_celsius: float) -> Mask:
    """Tell which samples are between a jump and the jump back, shape (n,).

    Args:
        time: s, shape (n,).
        temperature: °C, shape (n,), NaN where missing.
        least_celsius: °C, the smallest jump.
    """
    off = np.zeros(len(time), dtype=bool)
    # The maximum is NaN if any value is missing; then a jump may be across it.
    if len(time) > 1 and float(np.abs(np.diff(temperature)).max()) < least_celsius:
        return off
    known = np.flatnonzero(np.isfinite(temperature))
    if len(known) < 3:
        return off
    known_temperature = temperature[known]
    longest = LONGEST_JUMP_SHARE * len(known)
    rise = np.diff(known_temperature)
    fast = np.abs(rise) * JUMP_SECOND >= least_celsius * np.diff(time[known])
    jumps = np.flatnonzero((np.abs(rise) >= least_celsius) & fast)
    k = 0
    while k + 1 < len(jumps):
        away = jumps[k]
        back = jumps[k + 1]
        opposite = rise[away] * rise[back] < 0.0
        difference = abs(known_temperature[back + 1] - known_temperature[away])
        returns = opposite and difference <= JUMP_RETURN * abs(rise[away])
        if returns and back - away <= longest:
            off[known[away + 1 : back + 1]] = True
            k += 1
        k += 1
    return off


def temperature_stuck(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Flag a temperature that stays exactly constant under a current under which it moves elsewhere; leave it.

    It must be constant for half an hour or more, three times as long as anywhere else under as much current or less,
    and for a time in which twenty changes of the value are expected. A surface that is constant throughout while the
    chamber changes by 5 °C or more is stuck too.
    """
    events: list[Event] = []
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    for column in THERMOMETERS:
        temperature = column_values(frame, column)
        stuck = _find_stuck(time, temperature, current, rest_current(settings))
        if column == c.SURFACE_TEMPERATURE:
            stuck |= _does_not_follow(temperature, column_values(frame, c.AMBIENT_TEMPERATURE))
        before = number_text(temperature, "°C")
        events += run_events(
            frame, stuck, "temperature_stuck", before, constant_text("as it was"), constant_text("left")
        )
        frame = set_flag(frame, stuck, "temperature_stuck")
    return RuleOutcome(frame, tuple(events))


def _does_not_follow(surface: Floats, ambient: Floats) -> Mask:
    """Tell at which samples the surface is known, if it is constant while the chamber changes; else none, shape (n,).

    Args:
        surface, ambient: °C, shape (n,), NaN where missing.
    """
    none = np.zeros(len(surface), dtype=bool)
    if np.isnan(surface).all() or np.isnan(ambient).all():
        return none
    both = np.isfinite(surface) & np.isfinite(ambient)
    if not both.any() or float(np.ptp(surface[both])) > 0.0:
        return none
    low, high = np.quantile(ambient[both], [0.05, 0.95])
    if high - low < AMBIENT_CHANGE_CELSIUS:
        return none
    return np.isfinite(surface)


def _find_stuck(time: Floats, temperature: Floats, current: Floats, rest: float) -> Mask:
    """Tell where a temperature stays constant under a current under which it moves elsewhere, shape (n,).

    Args:
        time, temperature, current: s, °C and A, shape (n,), NaN where missing.
        rest: A, up to which the cell rests.
    """
    stuck = np.zeros(len(time), dtype=bool)
    if np.isnan(temperature).all():
        return stuck
    with np.errstate(invalid="ignore"):
        carrying = (np.abs(current[1:]) > rest) & (np.abs(current[:-1]) > rest)
        constant = carrying & (np.diff(temperature) == 0.0)
    if not constant.any():
        return stuck
    # From here on positions count intervals between samples, and stretches are runs of constant intervals.
    interval = np.diff(time)
    first, length = find_runs(constant)
    seconds = _sum_of_runs(interval, first, length)
    if not (seconds >= STUCK_SECOND).any():
        return stuck
    size = np.abs(current[1:])
    known = carrying & np.isfinite(np.diff(temperature))
    mean_ampere = _sum_of_runs(np.nan_to_num(size) * interval, first, length) / seconds
    # Only the longest of the stretches under as much current or less can be stuck.
    order = np.argsort(mean_ampere)
    up_to = np.searchsorted(mean_ampere[order], AS_MUCH_CURRENT * mean_ampere, side="right") - 1
    longest = np.maximum.accumulate(seconds[order])[up_to]
    for k in np.flatnonzero((seconds >= STUCK_SECOND) & (seconds == longest)):
        stretch = slice(int(first[k]), int(first[k] + length[k]))
        elsewhere = known & (size <= AS_MUCH_CURRENT * mean_ampere[k])
        elsewhere[stretch] = False
        seconds_elsewhere = float(interval[elsewhere].sum())
        changes_elsewhere = float((elsewhere & ~constant).sum())
        if seconds_elsewhere < seconds[k]:
            continue
        expected_changes = changes_elsewhere / seconds_elsewhere * seconds[k]
        if expected_changes < STUCK_CHANGES:
            continue
        others = mean_ampere <= AS_MUCH_CURRENT * mean_ampere[k]
        others[k] = False
        if seconds[k] >= STUCK_FACTOR * float(seconds[others].max(initial=0.0)):
            stuck[stretch.start : stretch.stop + 1] = True
    return stuck


def _sum_of_runs(amount: Floats, first: Integers, length: Integers) -> Floats:
    """Return the sum of an amount over each run, shape (runs,)."""
    total = np.concatenate([[0.0], np.cumsum(amount)])
    sums: Floats = total[first + length] - total[first]
    return sums


def temperature_noise(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Flag where a temperature is far noisier than usual (20 times, and 1 °C or more); leave it: a loose contact."""
    events: list[Event] = []
    for column in THERMOMETERS:
        temperature = column_values(frame, column)
        if np.isnan(temperature).all() or not (np.abs(np.diff(temperature)) > NOISE_CELSIUS / 2.0).any():
            continue
        distance = _distance_from_line(column_values(frame, c.TEST_TIME), temperature)
        if not _may_be_noisy(distance):
            continue
        noise = _local_noise(distance)
        known = noise[np.isfinite(noise)]
        usual = float(np.median(known)) if len(known) else 0.0
        with np.errstate(invalid="ignore"):
            noisy: Mask = noise > max(NOISE_CELSIUS, NOISE_FACTOR * usual)
        before = number_text(noise, "°C of noise")
        events += run_events(
            frame, noisy, "temperature_noise", before, constant_text("as it was"), constant_text("left")
        )
        frame = set_flag(frame, noisy, "temperature_noise")
    return RuleOutcome(frame, tuple(events))


def _distance_from_line(time: Floats, temperature: Floats) -> Floats:
    """Return how far each sample is from the line in time between its neighbours, in °C, shape (n,).

    NaN at the ends of the record and where one of the three is missing.
    """
    distance = np.full(len(time), np.nan)
    if len(time) > 2:
        share = (time[1:-1] - time[:-2]) / (time[2:] - time[:-2])
        distance[1:-1] = np.abs(temperature[1:-1] - temperature[:-2] - share * (temperature[2:] - temperature[:-2]))
    return distance


def _may_be_noisy(distance: Floats) -> bool:
    """Tell whether any window has so many large distances that its median may be large.

    Medians of all windows are much slower than this look.
    """
    large = np.flatnonzero(distance > NEARLY_NOISE * NOISE_CELSIUS * MEDIAN_OF_NOISE)
    least = (NOISE_WINDOW // 2 + 1) // 2
    if len(large) < least:
        return False
    shortest_span = int((large[least - 1 :] - large[: len(large) - least + 1]).min())
    return shortest_span < NOISE_WINDOW


def _local_noise(distance: Floats) -> Floats:
    """Return the standard deviation of the noise around each sample in °C, shape (n,); NaN if too little is known.

    It is estimated from a median, so a few outliers do not matter.
    """
    median = pd.Series(distance).rolling(NOISE_WINDOW, center=True, min_periods=NOISE_WINDOW // 2).median()
    noise: Floats = median.to_numpy(dtype=np.float64) / MEDIAN_OF_NOISE
    return noise


def chamber_off(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report where the chamber is off its setpoint by more than ``chamber_tolerance_celsius`` for ``chamber_second``.

    The chamber's temperature is the ambient one; if there is none, that of the cell's surface after an hour of rest.
    The setpoint is ``temperature_setpoint_celsius``. If it is not known, it is the record's median; then the findings
    are only information, because the schedule may have changed the chamber's temperature.
    """
    ambient = column_values(frame, c.AMBIENT_TEMPERATURE)
    has_ambient = bool(np.isfinite(ambient).any())
    tolerance = settings.chamber_tolerance_celsius
    known_setpoint = settings.temperature_setpoint_celsius
    if known_setpoint is None:
        measured = ambient if has_ambient else column_values(frame, c.SURFACE_TEMPERATURE)
        # A quick first look: no value is off the median then. False if one is missing or infinite.
        if float(measured.max() - measured.min()) <= tolerance:
            return RuleOutcome(frame)
    chamber = ambient if has_ambient else _settled_surface(frame, settings)
    known = np.flatnonzero(np.isfinite(chamber))
    if len(known) == 0:
        return RuleOutcome(frame)
    if known_setpoint is None and np.ptp(chamber[known]) <= tolerance:
        return RuleOutcome(frame)
    setpoint = float(np.median(chamber[known])) if known_setpoint is None else known_setpoint
    time = column_values(frame, c.TEST_TIME)
    far = np.abs(chamber[known] - setpoint) > tolerance
    off = _find_long_stretches(time, known, far, settings.chamber_second)

    def before(first: int, length: int) -> str:
        hours = (time[first + length - 1] - time[first]) / SECONDS_PER_HOUR
        return f"{np.nanmedian(chamber[first : first + length]):.4g} °C for {hours:.3g} h"

    after = constant_text(f"setpoint {setpoint:.4g} °C")
    events = run_events(frame, off, "chamber_off", before, after, constant_text("reported"))
    if known_setpoint is None:
        events = [_downgrade_to_information(event) for event in events]
    return RuleOutcome(set_flag(frame, off, "chamber_off"), tuple(events))


def _find_long_stretches(time: Floats, known: Integers, far: Mask, least_second: float) -> Mask:
    """Tell which samples are in stretches of values that are far off for longer than a time, shape (n,).

    A long hole without values ends a stretch, because nothing shows what the chamber did; a few missing values do not.

    Args:
        time: s, shape (n,).
        known: positions of the samples with a value, shape (m,).
        far: which of these values are far off, shape (m,).
        least_second: s.
    """
    off = np.zeros(len(time), dtype=bool)
    hole = (np.diff(known) > 1) & (np.diff(time[known]) > HOLE_SHARE * least_second)
    ends = 1 + np.flatnonzero((np.diff(far) != 0) | hole)
    for part in np.split(np.arange(len(known)), ends):
        rows = known[part]
        if far[part[0]] and time[rows[-1]] - time[rows[0]] > least_second:
            off[rows[0] : rows[-1] + 1] = True
    return off


def _downgrade_to_information(event: Event) -> Event:
    after = event.after.replace("setpoint", "the record's median is")
    return Event(event.rule, event.label, event.rows, event.before, after, event.action, "info")


def _settled_surface(frame: Table, settings: CleanSettings) -> Floats:
    """Return the cell's surface temperature in °C after an hour of rest, else NaN, shape (n,).

    A rest at the beginning of the record counts from there.
    """
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    surface = column_values(frame, c.SURFACE_TEMPERATURE)
    with np.errstate(invalid="ignore"):
        resting = np.abs(current) <= rest_current(settings)
    position = np.arange(len(time))
    rest_begins = np.maximum.accumulate(np.where(resting, 0, position + 1))
    rested = time - time[np.minimum(rest_begins, len(time) - 1)]
    settled: Floats = np.where(resting & (rested >= SETTLE_SECOND), surface, np.nan)
    return settled
