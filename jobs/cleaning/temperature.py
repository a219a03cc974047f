"""Cleaning rules about temperatures: a thermocouple that is off, and a chamber that is off its setpoint.

Nothing but what no cell can do is taken as missing: a temperature that jumps away between two samples and jumps back.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.settings import CleanSettings
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
JUMP_SECOND: Final = 60.0  # in which a jump of the least size happens; a larger one may take longer in proportion
JUMP_RETURN: Final = 0.3  # of the jump, by which the temperatures before and after may differ
LONGEST_JUMP_SHARE: Final = 0.2  # of all samples; longer is a chamber's other temperature
STUCK_SECOND: Final = 1800.0
STUCK_CHANGES: Final = 20.0  # changes of the value that are expected in the time in which none was seen
STUCK_FACTOR: Final = 3.0  # longer than any other constant stretch under as much current
AMBIENT_CHANGE_CELSIUS: Final = 5.0  # of the chamber, which a cell's surface follows
NOISE_CELSIUS: Final = 1.0  # standard deviation, the least that is reported
NOISE_FACTOR: Final = 20.0  # times the usual one
NOISE_WINDOW: Final = 31  # samples
MEDIAN_OF_NOISE: Final = 0.6745 * 1.5**0.5  # median distance from the line between neighbours, in standard deviations
SETTLE_SECOND: Final = 3600.0  # of rest, after which a cell's surface is at the chamber's temperature


def temperature_jump(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Take temperatures as missing that jump away and back, each time between two samples: the thermocouple was off.

    A jump is ``temperature_jump_celsius`` or more, and faster than that much in 60 s. The temperature must come back
    to where it was, since a chamber may really go elsewhere; what never comes back is left.
    """
    events: list[Event] = []
    for column in THERMOMETERS:
        temperature = column_values(frame, column)
        off = _jumped(column_values(frame, c.TEST_TIME), temperature, settings.temperature_jump_celsius)
        if off.any():
            before = number_text(temperature, "°C")
            events += run_events(frame, off, "temperature_jump", before, constant_text("missing"),
                                 constant_text("taken as missing"))  # fmt: skip
            frame = set_flag(frame.assign(**{column: np.where(off, np.nan, temperature)}), off, "temperature_jump")
    return RuleOutcome(frame, tuple(events))


def _jumped(time: Floats, temperature: Floats, least: float) -> Mask:
    """Samples between a jump and the jump back, shape (n,)."""
    off = np.zeros(len(time), dtype=bool)
    if len(time) > 1 and float(np.abs(np.diff(temperature)).max()) < least:
        return off
    known = np.flatnonzero(np.isfinite(temperature))
    if len(known) < 3:
        return off
    column, longest = temperature[known], LONGEST_JUMP_SHARE * len(known)
    rise = np.diff(column)
    fast = np.abs(rise) * JUMP_SECOND >= least * np.diff(time[known])
    edges = np.flatnonzero((np.abs(rise) >= least) & fast)
    away = 0
    while away + 1 < len(edges):
        left, right = edges[away], edges[away + 1]
        back = rise[left] * rise[right] < 0.0
        near = abs(column[right + 1] - column[left]) <= JUMP_RETURN * abs(rise[left])
        if back and near and right - left <= longest:
            off[known[left + 1 : right + 1]] = True
            away += 1
        away += 1
    return off


def temperature_stuck(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Flag a temperature that stays exactly constant under a current under which it moves elsewhere; leave it.

    It must be constant for half an hour or more, for three times as long as anywhere else under as much current or
    less, and in a time in which twenty changes of the value are to be expected from there. A surface that is constant
    throughout while the chamber goes by 5 °C or more is stuck too.
    """
    events: list[Event] = []
    for column in THERMOMETERS:
        temperature = column_values(frame, column)
        stuck = _stuck(
            column_values(frame, c.TEST_TIME), temperature, column_values(frame, c.CURRENT), rest_current(settings)
        )
        if column == c.SURFACE_TEMPERATURE:
            stuck |= _does_not_follow(temperature, column_values(frame, c.AMBIENT_TEMPERATURE))
        before = number_text(temperature, "°C")
        events += run_events(frame, stuck, "temperature_stuck", before, constant_text("as it was"),
                             constant_text("left"))  # fmt: skip
        frame = set_flag(frame, stuck, "temperature_stuck")
    return RuleOutcome(frame, tuple(events))


def _does_not_follow(surface: Floats, ambient: Floats) -> Mask:
    """The surface's samples, where they are all the same while the chamber's temperature moves."""
    if np.isnan(surface).all() or np.isnan(ambient).all():
        return np.zeros(len(surface), dtype=bool)
    both = np.isfinite(surface) & np.isfinite(ambient)
    if not both.any() or float(np.ptp(surface[both])) > 0.0:
        return np.zeros(len(surface), dtype=bool)
    low, high = np.quantile(ambient[both], [0.05, 0.95])
    return np.isfinite(surface) & bool(high - low >= AMBIENT_CHANGE_CELSIUS)


def _stuck(time: Floats, temperature: Floats, current: Floats, rest: float) -> Mask:
    stuck = np.zeros(len(time), dtype=bool)
    if np.isnan(temperature).all():
        return stuck
    with np.errstate(invalid="ignore"):
        carries = (np.abs(current[1:]) > rest) & (np.abs(current[:-1]) > rest)
        same = carries & (np.diff(temperature) == 0.0)
    if not same.any():
        return stuck
    step = np.diff(time)
    first, length = find_runs(same)
    through = np.concatenate([[0.0], np.cumsum(step)])
    lasted = through[first + length] - through[first]
    if not (lasted >= STUCK_SECOND).any():
        return stuck
    size, known = np.abs(current[1:]), carries & np.isfinite(np.diff(temperature))
    passed = np.concatenate([[0.0], np.cumsum(np.nan_to_num(size) * step)])
    ampere = (passed[first + length] - passed[first]) / lasted
    # Only the longest of the stretches under as much current or less can be the one that is stuck.
    order = np.argsort(ampere)
    longest = np.maximum.accumulate(lasted[order])[np.searchsorted(ampere[order], 1.1 * ampere, side="right") - 1]
    for k in np.flatnonzero((lasted >= STUCK_SECOND) & (lasted == longest)):
        rows = slice(int(first[k]), int(first[k] + length[k]))
        others = known & (size <= 1.1 * ampere[k])
        others[rows] = False
        seconds = float(step[others].sum())
        changes = float((others & ~same).sum())
        if seconds < lasted[k] or changes / seconds * lasted[k] < STUCK_CHANGES:
            continue
        alike = ampere <= 1.1 * ampere[k]
        alike[k] = False
        if lasted[k] >= STUCK_FACTOR * float(lasted[alike].max(initial=0.0)):
            stuck[rows.start : rows.stop + 1] = True
    return stuck


def temperature_noise(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Flag where a temperature is far noisier than usual (20 times, and 1 °C or more); leave it: a loose contact."""
    events: list[Event] = []
    for column in THERMOMETERS:
        temperature = column_values(frame, column)
        if not (np.abs(np.diff(temperature)) > NOISE_CELSIUS / 2.0).any():
            continue
        off = _distance_from_line(column_values(frame, c.TEST_TIME), temperature)
        if not _crowded(off > 0.8 * NOISE_CELSIUS * MEDIAN_OF_NOISE):
            continue
        noise = _local_noise(off)
        usual = float(np.median(noise[np.isfinite(noise)])) if np.isfinite(noise).any() else 0.0
        with np.errstate(invalid="ignore"):
            noisy: Mask = noise > max(NOISE_CELSIUS, NOISE_FACTOR * usual)
        before = number_text(noise, "°C of noise")
        events += run_events(frame, noisy, "temperature_noise", before, constant_text("as it was"),
                             constant_text("left"))  # fmt: skip
        frame = set_flag(frame, noisy, "temperature_noise")
    return RuleOutcome(frame, tuple(events))


def _distance_from_line(time: Floats, temperature: Floats) -> Floats:
    """How far each sample is from the line in time between its neighbours, in °C; NaN where one is missing."""
    off = np.full(len(time), np.nan)
    if len(time) > 2:
        share = (time[1:-1] - time[:-2]) / (time[2:] - time[:-2])
        off[1:-1] = np.abs(temperature[1:-1] - temperature[:-2] - share * (temperature[2:] - temperature[:-2]))
    return off


def _crowded(large: Mask) -> bool:
    """Tell whether anywhere so many samples of a window are large that its median may be: medians cost far more."""
    at, least = np.flatnonzero(large), (NOISE_WINDOW // 2 + 1) // 2
    return len(at) >= least and int((at[least - 1 :] - at[: len(at) - least + 1]).min()) < NOISE_WINDOW


def _local_noise(off: Floats) -> Floats:
    """Standard deviation in °C around each sample, as robustly as a median is; NaN where too little is known."""
    middle = pd.Series(off).rolling(NOISE_WINDOW, center=True, min_periods=NOISE_WINDOW // 2).median()
    noise: Floats = middle.to_numpy(dtype=np.float64) / MEDIAN_OF_NOISE
    return noise


def chamber_off(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report where the chamber is off its setpoint by more than ``chamber_tolerance_celsius`` for ``chamber_second``.

    The chamber's temperature is the ambient one; where there is none, the cell's surface after an hour of rest. The
    setpoint is ``temperature_setpoint_celsius``; where it is not known, the record's median, and then it is no more
    than an information: the chamber may have been sent elsewhere.
    """
    time = column_values(frame, c.TEST_TIME)
    ambient = column_values(frame, c.AMBIENT_TEMPERATURE)
    has_ambient = bool(np.isfinite(ambient).any())
    if settings.temperature_setpoint_celsius is None:
        seen = ambient if has_ambient else column_values(frame, c.SURFACE_TEMPERATURE)
        # Nowhere off its own median, then; a missing or infinite one is looked at below.
        if float(seen.max() - seen.min()) <= settings.chamber_tolerance_celsius:
            return RuleOutcome(frame)
    chamber = ambient if has_ambient else _settled_surface(frame, settings)
    known = np.flatnonzero(np.isfinite(chamber))
    if len(known) == 0:
        return RuleOutcome(frame)
    given = settings.temperature_setpoint_celsius
    if given is None and np.ptp(chamber[known]) <= settings.chamber_tolerance_celsius:
        return RuleOutcome(frame)
    setpoint = float(np.median(chamber[known])) if given is None else given
    far = np.abs(chamber[known] - setpoint) > settings.chamber_tolerance_celsius
    # A long stretch without values is no evidence of what the chamber did; a few missing ones do not end it.
    hole = (np.diff(known) > 1) & (np.diff(time[known]) > 0.5 * settings.chamber_second)
    off = np.zeros(len(time), dtype=bool)
    for part in np.split(np.arange(len(known)), 1 + np.flatnonzero((np.diff(far) != 0) | hole)):
        rows = known[part]
        if far[part[0]] and time[rows[-1]] - time[rows[0]] > settings.chamber_second:
            off[rows[0] : rows[-1] + 1] = True

    def before(first: int, length: int) -> str:
        hours = (time[first + length - 1] - time[first]) / 3600.0
        return f"{np.nanmedian(chamber[first : first + length]):.4g} °C for {hours:.3g} h"

    told = run_events(
        frame, off, "chamber_off", before, constant_text(f"setpoint {setpoint:.4g} °C"), constant_text("reported")
    )
    events = told if given is not None else [_downgrade_to_information(event) for event in told]
    return RuleOutcome(set_flag(frame, off, "chamber_off"), tuple(events))


def _downgrade_to_information(event: Event) -> Event:
    after = event.after.replace("setpoint", "the record's median is")
    return Event(event.rule, event.label, event.rows, event.before, after, event.action, "info")


def _settled_surface(frame: pd.DataFrame, settings: CleanSettings) -> Floats:
    """The cell's surface temperature where it has rested for an hour, else NaN; the record may begin at rest."""
    time, current = column_values(frame, c.TEST_TIME), column_values(frame, c.CURRENT)
    with np.errstate(invalid="ignore"):
        resting = np.abs(current) <= rest_current(settings)
    place = np.arange(len(time))
    began = np.maximum.accumulate(np.where(resting, 0, place + 1))
    rested = time - time[np.minimum(began, len(time) - 1)]
    settled: Floats = np.where(resting & (rested >= SETTLE_SECOND), column_values(frame, c.SURFACE_TEMPERATURE), np.nan)
    return settled
