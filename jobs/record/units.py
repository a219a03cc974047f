"""In which units a record's numbers are, told by what a cell can do: where nothing else than one unit is possible.

A cell's voltage is a few volts; what it carries, times its resistance, is a part of a volt; its charge goes in and out
in minutes to days. A number that is a thousand times off from all of it at once is of another unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ...data.arrays import Floats
from ...data.convert import SECONDS_PER_HOUR, ZERO_CELSIUS_KELVIN, fahrenheit_to_celsius

MILLI: Final = 1e-3
MICRO: Final = 1e-6
INSIDE: Final = 0.95  # of the values are what a cell can have, in the other unit
LEAST_MILLIVOLT: Final = 1600.0  # a median above it is no string's of cells in series that a cell tester holds
HALF_CELL_SPAN: Final = 4.0  # between the 10 % and 90 % quantiles: more than any pack's voltage varies
FAST_PER_HOUR: Final = 20.0  # 1/h, a typical current over the capacity that is no cell's
SLOW_PER_HOUR: Final = 0.02  # 1/h, a typical current over what is counted, that is below the slowest test's
FAST_ALONE_PER_HOUR: Final = 40.0  # ... where no edge of the current tells of the resistance
RESISTANCE_AH: Final = (0.003, 20.0)  # ohm x A.h of any cell, from large pouches to coin cells of 20 ohm and more
OTHER_RESISTANCE_AH: Final = 5e-4  # ohm x A.h, below which no cell is
GIANT_AMPERE: Final = 100.0  # of a typical current, with ...
GIANT_AH: Final = 1500.0  # ... more charge than the largest cells hold, or ...
HUGE_AMPERE: Final = 2000.0  # ... more current than single cells are tested with, and ...
GIANT_OHM: Final = 2e-4  # ... less resistance
RATIO: Final = 0.03  # by which a counter's and the current's ratio may be off from a power of ten
ALIKE: Final = 0.1  # ... for a single interval
AGREEING: Final = 0.6  # of the charge
LEAST_EDGES: Final = 2
SAMPLED: Final = 10_000  # values, that a first look is taken at
WARM_CELSIUS: Final = (-40.0, 100.0)
HOT_KELVIN: Final = 200.0
FAHRENHEIT_NEAR: Final = 4.0  # °C, from the setpoint
FAHRENHEIT_FAR: Final = 20.0
TemperatureUnit = Literal["K", "°F"]


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """What says in which unit a current is.

    Args:
        time_second, current, voltage_volt: shape (n,); the current in its own unit.
        counted_in, counted_out: what the cycler's counters rose by between samples, in their own unit, shape (n - 1,).
    """

    time_second: Floats
    current: Floats
    voltage_volt: Floats
    counted_in: Floats
    counted_out: Floats

    @property
    def typical(self) -> float:
        """The current that nine of ten samples with a current stay below, without sign."""
        size = np.abs(self.current[np.isfinite(self.current)])
        carrying = size[size > 0.01 * np.quantile(size, 0.99)] if len(size) else size
        return float(np.quantile(carrying, 0.9)) if len(carrying) else 0.0

    @property
    def charge(self) -> Floats:
        """Charge between samples in h times the current's unit, positive into the cell, shape (n - 1,)."""
        seconds = np.clip(np.nan_to_num(np.diff(self.time_second)), 0.0, None)
        charge: Floats = np.nan_to_num(seconds * (self.current[1:] + self.current[:-1]) / (2.0 * SECONDS_PER_HOUR))
        return charge

    @property
    def counted(self) -> Floats:
        """What both counters rose by between samples, shape (n - 1,)."""
        return self.counted_in + self.counted_out

    @property
    def swing(self) -> float:
        """How far the charge of the current goes up and down."""
        return _swing(self.charge)

    @property
    def counted_swing(self) -> float:
        """How far the counted charge goes up and down."""
        return _swing(self.counted_in - self.counted_out)

    @property
    def resistance(self) -> float | None:
        """V over the current's unit, from how far the voltage goes with the larger edges of the current."""
        jump, rise = np.abs(np.diff(self.current)), np.abs(np.diff(self.voltage_volt))
        edge = (jump > 0.3 * self.typical) & np.isfinite(rise)
        if edge.sum() < LEAST_EDGES or self.typical == 0.0:
            return None
        return float(np.quantile(rise[edge], 0.9) / np.median(jump[edge]))


def _swing(charge: Floats) -> float:
    level = np.cumsum(charge)
    return float(level.max(initial=0.0) - level.min(initial=0.0))


def voltage_factor(voltage: Floats, limits_volt: tuple[float, float]) -> float:
    """Return 0.001 for a voltage in mV, else 1.

    In mV the median is beyond the limits and nearly all values within a thousand times these; and it is no string of
    cells: the median is above 1.6 V, or the values spread as only a half cell's do.

    Args:
        voltage: shape (n,), V or mV.
        limits_volt: what such a cell can have.
    """
    if not _sampled_median(voltage) > limits_volt[1]:
        return 1.0
    known = voltage[np.isfinite(voltage)]
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
    inside = float((MILLI * known <= limits_volt[1]).mean()) >= INSIDE
    whole = float((MILLI * known >= limits_volt[0]).mean()) >= INSIDE and middle >= LEAST_MILLIVOLT
    half = low > 0.0 and high > HALF_CELL_SPAN * low
    return MILLI if inside and (whole or half) else 1.0


def _sampled_median(column: Floats) -> float:
    """Median of at most some ten thousand values, evenly taken; NaN where none is known."""
    some = column[:: max(len(column) // SAMPLED, 1)]
    some = some[np.isfinite(some)]
    return float(np.median(some)) if len(some) else np.nan


def current_factor(flow: Flow, nominal_ah: float | None) -> float:
    """Return 0.001 for a current in mA, 0.000001 for one in uA, else 1.

    Against the nominal capacity, the current must be too fast and the resistance too small for any cell; if it is only
    a little too fast, or nothing tells the resistance, so must be the charge too much. Without it, so it must be
    against what the cycler's counters count, which then go with the current at exactly a thousandth of it; or the
    current is too large for any tester, and then it is in mA, or if that is no less so in uA.
    """
    largest = float(np.nanmax(np.abs(flow.current), initial=0.0))
    # What is plausible for the largest current needs no further thought.
    if largest <= (FAST_PER_HOUR * nominal_ah if nominal_ah is not None else 0.0):
        return 1.0
    if nominal_ah is None and largest <= GIANT_AMPERE:
        # No giant; and what is not too fast at its largest is not too fast against the counters either.
        total = float(np.nansum(flow.counted))
        if total == 0.0 or largest <= FAST_PER_HOUR * total:
            return 1.0
    typical, resistance = flow.typical, flow.resistance
    if nominal_ah is not None:
        return _factor_from_nominal(flow, typical, resistance, nominal_ah)
    ratio = counted_ratio(flow)
    total = float(np.nansum(flow.counted))
    for factor in (MILLI, MICRO):
        if ratio is not None and abs(ratio / factor - 1.0) <= RATIO and resistance is not None:
            fast = typical > FAST_PER_HOUR * total and resistance * total < OTHER_RESISTANCE_AH
            return factor if fast else 1.0
    if resistance is None:
        return 1.0
    swing = flow.swing
    for factor in (1.0, MILLI, MICRO):
        giant = factor * typical > GIANT_AMPERE and factor * swing > GIANT_AH
        if not (giant or factor * typical > HUGE_AMPERE) or resistance / factor >= GIANT_OHM:
            return factor
    return 1.0


def _factor_from_nominal(flow: Flow, typical: float, resistance: float | None, nominal_ah: float) -> float:
    rate = typical / nominal_ah
    if rate <= (FAST_PER_HOUR if resistance is not None else FAST_ALONE_PER_HOUR):
        return 1.0
    if resistance is not None and resistance * nominal_ah >= RESISTANCE_AH[0] / 2.0:
        return 1.0
    if flow.swing <= FAST_PER_HOUR * nominal_ah and (resistance is None or rate <= FAST_ALONE_PER_HOUR):
        return 1.0
    for factor in (MILLI, MICRO):
        own = None if resistance is None else resistance / factor * nominal_ah
        if rate * factor <= FAST_PER_HOUR and (own is None or RESISTANCE_AH[0] <= own <= RESISTANCE_AH[1]):
            return factor
    return 1.0


def counted_ratio(flow: Flow) -> float | None:
    """Return what the counters rise by over the charge of the current; ``None`` where both do not go together."""
    charge = np.abs(flow.charge)
    both = (charge > 0.0) & (flow.counted > 0.0)
    if not both.any():
        return None
    each, weight = flow.counted[both] / charge[both], charge[both]
    order = np.argsort(each)
    reached = np.cumsum(weight[order])
    ratio = float(each[order][np.searchsorted(reached, 0.5 * reached[-1])])
    alike = weight[np.abs(each - ratio) <= ALIKE * ratio].sum()
    return ratio if alike >= AGREEING * charge.sum() else None


def counter_factor(flow: Flow) -> float:
    """Return 0.001 for counters in mAh beside a current in A, 0.000001 for uAh, else 1.

    They rise by exactly as many times the current's charge, and what they count is far too much for the current: else
    it may be the time that is not in s.
    """
    if not (flow.counted_in.any() or flow.counted_out.any()):
        return 1.0
    least = SLOW_PER_HOUR * flow.counted_swing
    # More than a tenth of all samples above it put the typical current there, at less cost than its quantiles.
    above = int(np.count_nonzero(np.abs(flow.current) >= least)) if least != 0.0 else len(flow.current)
    if above > 0.1 * len(flow.current) + 1.0 or flow.typical >= least:
        return 1.0
    ratio = counted_ratio(flow)
    for factor in (MILLI, MICRO):
        if ratio is not None and abs(ratio * factor - 1.0) <= RATIO:
            return factor
    return 1.0


def temperature_unit(temperature: Floats, setpoint_celsius: float | None) -> TemperatureUnit | None:
    """Return the unit of temperatures that are not in °C: K, °F, or ``None`` for °C.

    In K nothing is below 200, and nearly all of it is warm in °C; what never changes may be an amplifier at its end.
    In °F only a setpoint far away in °C, and near in °F, can tell.

    Args:
        temperature: shape (n,).
        setpoint_celsius: the chamber's, as the campaign gives it.
    """
    middle = _sampled_median(temperature)
    far = setpoint_celsius is not None and abs(middle - setpoint_celsius) > FAHRENHEIT_FAR
    if not middle > HOT_KELVIN and not far:
        return None
    known = temperature[np.isfinite(temperature) & (np.abs(temperature) < 1000.0)]
    if not len(known) or float(np.ptp(known)) == 0.0:
        return None
    middle = float(np.median(known))
    if middle > HOT_KELVIN:
        kelvin = known - ZERO_CELSIUS_KELVIN
        warm = float(((kelvin > WARM_CELSIUS[0]) & (kelvin < WARM_CELSIUS[1])).mean()) >= INSIDE
        return "K" if warm else None
    if setpoint_celsius is None or abs(middle - setpoint_celsius) <= FAHRENHEIT_FAR:
        return None
    return "°F" if abs(fahrenheit_to_celsius(middle) - setpoint_celsius) <= FAHRENHEIT_NEAR else None
