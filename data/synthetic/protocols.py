"""The protocols that synthetic cells go through: what a cycler is told to do, apart from any chemistry.

Currents are C-rates (A per A.h of nominal capacity), positive charges the cell, so one protocol serves cells of
any size. Step numbers are the schedule's own: they start again in every cycle and repeat inside loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Segment:
    """A time during which the cycler holds one current or one voltage.

    Args:
        step: the schedule's step number; neighbouring segments of one number are one step (a drive cycle).
        held: what is held.
        value: C-rate (positive charges) or V.
        seconds: longest duration.
        until: ends earlier at this voltage (V, current held) or below this C-rate (voltage held); ``None`` = never.
        every: s between samples, apart from the denser ones after the edge.
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
    """What a cycler does with a cell that starts at rest at ``initial_voltage_volt``."""

    name: str
    words: str
    initial_voltage_volt: float
    cycles: tuple[Cycle, ...]


def rest(step: int, minutes: float, every: float = 30.0) -> Segment:
    """No current for so many minutes."""
    return Segment(step, "current", 0.0, 60 * minutes, None, every)


def discharge(step: int, rate: float, until: float | None, minutes: float = 1800.0, every: float = 10.0) -> Segment:
    """Discharge at a C-rate (given as a positive number) to a voltage or for so many minutes."""
    return Segment(step, "current", -rate, 60 * minutes, until, every)


def charge(step: int, rate: float, until: float | None, minutes: float = 1800.0, every: float = 20.0) -> Segment:
    """Charge at a C-rate to a voltage or for so many minutes."""
    return Segment(step, "current", rate, 60 * minutes, until, every)


def hold(step: int, voltage_volt: float, until_rate: float = 0.05, every: float = 20.0) -> Segment:
    """Hold a voltage until the current has fallen to a C-rate."""
    return Segment(step, "voltage", voltage_volt, 4 * 3600.0, until_rate, every)


def cccv(step: int, rate: float, voltage_volt: float) -> Cycle:
    """Constant-current constant-voltage charge to C/20, as two steps."""
    return charge(step, rate, voltage_volt), hold(step + 1, voltage_volt)


def pulse(step: int, rate: float, seconds: float = 10.0) -> Segment:
    """A short current pulse (C-rate, positive charges), sampled every second."""
    return Segment(step, "current", rate, seconds, None, 1.0)


DRIVE: Final = (
    (-0.3, 20), (-1.1, 8), (-0.7, 14), (0.4, 6), (-0.2, 24), (-1.6, 6), (-0.9, 18), (-0.5, 30), (0.6, 8), (0.0, 16),
    (-0.8, 12), (-1.3, 10), (-0.6, 36), (0.3, 10), (-0.1, 20), (-1.8, 5), (-1.0, 22), (-0.4, 28), (0.5, 9), (0.0, 18),
)  # fmt: skip
"""A drive-like sequence as (C-rate, s): bursts, cruising, braking that charges the cell, standing."""


def drive(step: int, repeats: int) -> Cycle:
    """The drive-like sequence, several times over, as one step sampled every 2 s."""
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
