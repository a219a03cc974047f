"""The test protocols of synthetic cells, independent of the chemistry.

Currents are C-rates (A per A.h of nominal capacity), positive charges the cell, so a protocol suits cells of any size.
Step numbers are those of the schedule: they restart in every cycle and repeat inside loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Segment:
    """A period in which the cycler controls one current or one voltage.

    Args:
        step: step number of the schedule; consecutive segments with the same number are one step (a drive cycle).
        held: the controlled quantity.
        value: C-rate (positive charges) or voltage (V).
        seconds: longest duration (s).
        until: voltage (V) at which a current ends, or C-rate below which a held voltage ends; ``None`` = after
            ``seconds``.
        every: time between samples (s); samples after the edge are denser.
    """

    step: int
    held: Literal["current", "voltage"]
    value: float
    seconds: float
    until: float | None = None
    every: float = 10.0


Cycle = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Protocol:
    """The schedule of one test.

    Args:
        name: short name.
        words: description.
        initial_voltage_volt: voltage of the rest at which the cell starts (V).
        cycles: the segments of each cycle.
    """

    name: str
    words: str
    initial_voltage_volt: float
    cycles: tuple[Cycle, ...]


def rest(step: int, minutes: float, every: float = 30.0) -> Segment:
    """Return a rest.

    Args:
        step: step number.
        minutes: duration (min).
        every: time between samples (s).
    """
    return Segment(step, "current", 0.0, 60 * minutes, None, every)


def discharge(step: int, rate: float, until: float | None, minutes: float = 1800.0, every: float = 10.0) -> Segment:
    """Return a discharge at constant current.

    Args:
        step: step number.
        rate: C-rate, as a positive number.
        until: voltage at which it ends (V); ``None`` = after ``minutes``.
        minutes: longest duration (min).
        every: time between samples (s).
    """
    return Segment(step, "current", -rate, 60 * minutes, until, every)


def charge(step: int, rate: float, until: float | None, minutes: float = 1800.0, every: float = 20.0) -> Segment:
    """Return a charge at constant current.

    Args:
        step: step number.
        rate: C-rate.
        until: voltage at which it ends (V); ``None`` = after ``minutes``.
        minutes: longest duration (min).
        every: time between samples (s).
    """
    return Segment(step, "current", rate, 60 * minutes, until, every)


def hold(step: int, voltage_volt: float, until_rate: float = 0.05, every: float = 20.0) -> Segment:
    """Return a voltage hold, of at most 4 h.

    Args:
        step: step number.
        voltage_volt: the voltage (V).
        until_rate: C-rate below which it ends.
        every: time between samples (s).
    """
    return Segment(step, "voltage", voltage_volt, 4 * 3600.0, until_rate, every)


def cccv(step: int, rate: float, voltage_volt: float) -> Cycle:
    """Return a constant-current constant-voltage charge, which ends at C/20, as two steps.

    Args:
        step: number of the first step.
        rate: C-rate of the constant current.
        voltage_volt: voltage of the hold (V).
    """
    return charge(step, rate, voltage_volt), hold(step + 1, voltage_volt)


def pulse(step: int, rate: float, seconds: float = 10.0) -> Segment:
    """Return a short current pulse, sampled every second.

    Args:
        step: step number.
        rate: C-rate, positive charges.
        seconds: duration (s).
    """
    return Segment(step, "current", rate, seconds, None, 1.0)


DRIVE: Final = (
    (-0.3, 20), (-1.1, 8), (-0.7, 14), (0.4, 6), (-0.2, 24), (-1.6, 6), (-0.9, 18), (-0.5, 30), (0.6, 8), (0.0, 16),
    (-0.8, 12), (-1.3, 10), (-0.6, 36), (0.3, 10), (-0.1, 20), (-1.8, 5), (-1.0, 22), (-0.4, 28), (0.5, 9), (0.0, 18),
)  # fmt: skip
"""A driving profile as (C-rate, s): acceleration, cruising, regenerative braking, standstill."""


def drive(step: int, repeats: int) -> Cycle:
    """Return the driving profile as one step, sampled every 2 s.

    Args:
        step: step number.
        repeats: how many times the profile is driven.
    """
    return tuple(Segment(step, "current", rate, float(seconds), None, 2.0) for rate, seconds in DRIVE * repeats)


def _pulse_train(upper_volt: float) -> Cycle:
    pair = (pulse(3, -1.5), rest(4, 2, 10), pulse(5, 1.0), rest(6, 10, 15))
    leg = discharge(7, 0.5, None, 30)
    return (
        rest(1, 30),
        discharge(2, 0.5, None, 20),
        *pair,
        leg,
        *pair,
        leg,
        *pair,
        rest(8, 75),
        *cccv(9, 0.5, upper_volt),
    )


RATE_TEST: Final = Protocol(
    "rate test",
    "rest 30 min; C/2 discharge to 3.0 V, rest 75 min, C/3 CCCV charge to 4.2 V and C/20, rest 75 min; "
    "1C discharge to 3.0 V, rest 60 min, C/2 CCCV charge, rest 60 min",
    4.15,
    (
        (rest(1, 30), discharge(2, 0.5, 3.0), rest(3, 75), *cccv(4, 1 / 3, 4.2), rest(6, 75)),
        (discharge(1, 1.0, 3.0, every=5), rest(2, 60), *cccv(3, 0.5, 4.2), rest(5, 60)),
    ),
)
GITT: Final = Protocol(
    "titration",
    "rest 60 min; eight C/2 discharge pulses of 10 min with rests of 30 min, C/3 discharge to 3.0 V, rest 75 min; "
    "0.3C CCCV charge to 4.2 V and C/20, rest 60 min; 1C discharge to 3.0 V, rest 60 min",
    4.15,
    (
        (rest(1, 60), *(discharge(2, 0.5, None, 10), rest(3, 30)) * 8, discharge(4, 1 / 3, 3.0), rest(5, 75)),
        (*cccv(1, 0.3, 4.2), rest(3, 60), discharge(4, 1.0, 3.0), rest(5, 60)),
    ),
)
PULSES: Final = Protocol(
    "pulses",
    "rest 30 min; C/2 discharge in three legs, each followed by 10 s pulses of 1.5C discharge and 1C charge, rest "
    "75 min, C/2 CCCV charge to 3.5 V and C/20; rest 30 min, 1C discharge to 2.8 V, rest 60 min, 1C CCCV charge; "
    "rest 30 min, 1.5C discharge to 3.0 V, rest 60 min",
    3.4,
    (
        _pulse_train(3.5),
        (rest(1, 30), discharge(2, 1.0, 2.8), rest(3, 60), *cccv(4, 1.0, 3.5)),
        (rest(1, 30), discharge(2, 1.5, 3.0, every=5), rest(3, 60)),
    ),
)
DRIVING: Final = Protocol(
    "driving",
    "rest 30 min; 16 min of a drive-like sequence, rest 75 min, 0.7C discharge to 3.3 V, rest 60 min, C/2 CCCV charge "
    "to 4.2 V and C/20; rest 60 min, 1C discharge to 3.3 V, rest 60 min",
    4.15,
    (
        (rest(1, 30), *drive(2, 3), rest(3, 75), discharge(4, 0.7, 3.3), rest(5, 60), *cccv(6, 0.5, 4.2)),
        (rest(1, 60), discharge(2, 1.0, 3.3, every=5), rest(3, 60)),
    ),
)
TWO_STAGE: Final = Protocol(
    "two-stage charge",
    "rest 60 min; C/3 discharge to 3.1 V, rest 75 min, charge at 0.7C to 4.0 V, at 0.3C to 4.2 V, hold to C/20; "
    "rest 60 min, C/2 discharge for 60 min, rest 60 min, C/2 discharge to 3.1 V, rest 60 min",
    4.1,
    (
        (
            rest(1, 60),
            discharge(2, 1 / 3, 3.1, every=15),
            rest(3, 75),
            charge(4, 0.7, 4.0, every=10),
            *cccv(5, 0.3, 4.2),
        ),
        (rest(1, 60), discharge(2, 0.5, None, 60), rest(3, 60), discharge(4, 0.5, 3.1), rest(5, 60)),
    ),
)
