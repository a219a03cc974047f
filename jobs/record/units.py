"""Infer the units of a record's numbers from what a cell can do, where only one unit is possible.

A cell's voltage is a few volts. Its current times its resistance is a part of a volt. Its charge goes in and out in
minutes to days. Numbers that are a thousand times off all of this are in another unit. Decision 9 in
``docs/decisions/`` gives the reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ...data.arrays import Floats
from ...data.convert import SECONDS_PER_HOUR, ZERO_CELSIUS_KELVIN, fahrenheit_to_celsius

MILLI: Final = 1e-3
MICRO: Final = 1e-6
TemperatureUnit = Literal["K", "°F"]

SAMPLED: Final = 10_000
"""Number of values in a quick first look."""

INSIDE: Final = 0.95
"""Least share of the values that are possible in the other unit. Chosen, not measured."""

# Voltage

LEAST_MILLIVOLT: Final = 1600.0
"""mV. A median above it is no string of cells in V: a cell tester has no such voltage. Chosen, not measured."""

HALF_CELL_SPAN: Final = 4.0
"""The 90 % quantile over the 10 % quantile: above it only a half cell can vary, and no pack. Chosen, not measured."""

# Current and counters

FAST_PER_HOUR: Final = 20.0
"""1/h, the typical current over the capacity: faster is no cell, if its edges show the resistance too. Chosen, not
measured."""

FAST_ALONE_PER_HOUR: Final = 40.0
"""1/h: the same where no edge of the current shows the resistance. Chosen, not measured."""

SLOW_PER_HOUR: Final = 0.02
"""1/h, the typical current over the counted charge: slower than any test. Chosen, not measured."""

RESISTANCE_AH: Final = (0.003, 20.0)
"""ohm x A.h: least and largest resistance times capacity of a cell, from large pouches to coin cells of 20 ohm and
more. Decision 9: real cells have 0.01 to 0.3."""

OTHER_RESISTANCE_AH: Final = 1.5e-3
"""ohm x A.h: no cell has less, with the swing of the counted charge as its capacity; half of the least resistance
above. Chosen, not measured."""

GIANT_AMPERE: Final = 100.0
"""A: a typical current above it is a giant's, if also more charge flows than ``GIANT_AH``. Chosen, not measured."""

GIANT_AH: Final = 1500.0
"""A.h: more than the largest cells hold. Chosen, not measured."""

HUGE_AMPERE: Final = 2000.0
"""A: more than single cells are tested with. Chosen, not measured."""

GIANT_OHM: Final = 2e-4
"""ohm: a cell under such currents has less resistance. Chosen, not measured."""

RATIO: Final = 0.03
"""Share by which the ratio of a counter and the current may differ from a power of ten. Chosen, not measured."""

ALIKE: Final = 0.1
"""Share by which this ratio in a single interval may differ from the median. Chosen, not measured."""

AGREEING: Final = 0.6
"""Least share of the charge in intervals with this ratio. Chosen, not measured."""

LEAST_EDGES: Final = 2
"""Least number of edges of the current from which the resistance is estimated. Chosen, not measured."""

EDGE_SHARE: Final = 0.3
"""Share of the typical current: smallest edge. Chosen, not measured."""

# Temperature

WARM_CELSIUS: Final = (-40.0, 100.0)
"""°C: possible temperatures of a test. Chosen, not measured."""

HOT_KELVIN: Final = 200.0
"""K: lower than any test; in °C, hotter than any test. Chosen, not measured."""

FAHRENHEIT_NEAR: Final = 4.0
"""°C: a temperature in °F is this close to the setpoint after conversion. Chosen, not measured."""

FAHRENHEIT_FAR: Final = 20.0
"""°C: before conversion it is further away from the setpoint than this. Chosen, not measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The evidence for the unit of a current.

    Args:
        time_second: s, shape (n,).
        current: in its own unit, shape (n,), NaN where missing.
        voltage_volt: V, shape (n,), NaN where missing.
        counted_in, counted_out: by how much the cycler's counters rose between samples, in their own unit,
            shape (n - 1,).
    """

    time_second: Floats
    current: Floats
    voltage_volt: Floats
    counted_in: Floats
    counted_out: Floats

    @property
    def typical(self) -> float:
        """The current without sign that nine of ten samples with a current stay below; 0 without any current."""
        size = np.abs(self.current[np.isfinite(self.current)])
        if not len(size):
            return 0.0
        carrying = size[size > 0.01 * np.quantile(size, 0.99)]
        if not len(carrying):
            return 0.0
        return float(np.quantile(carrying, 0.9))

    @property
    def charge(self) -> Floats:
        """Charge between samples in h times the current's unit, positive into the cell, shape (n - 1,)."""
        seconds = np.clip(np.nan_to_num(np.diff(self.time_second)), 0.0, None)
        charge: Floats = np.nan_to_num(seconds * (self.current[1:] + self.current[:-1]) / (2.0 * SECONDS_PER_HOUR))
        return charge

    @property
    def counted(self) -> Floats:
        """By how much both counters rose between samples, shape (n - 1,)."""
        return self.counted_in + self.counted_out

    @property
    def swing(self) -> float:
        """The difference between highest and lowest charge by the current."""
        return _swing(self.charge)

    @property
    def counted_swing(self) -> float:
        """The difference between highest and lowest charge by the counters."""
        if not (self.counted_in.any() or self.counted_out.any()):
            return 0.0
        return _swing(self.counted_in - self.counted_out)

    @property
    def resistance(self) -> float | None:
        """V over the current's unit, from large edges of the current; ``None`` if there are too few."""
        jump = np.abs(np.diff(self.current))
        rise = np.abs(np.diff(self.voltage_volt))
        edge = (jump > EDGE_SHARE * self.typical) & np.isfinite(rise)
        if edge.sum() < LEAST_EDGES or self.typical == 0.0:
            return None
        return float(np.quantile(rise[edge], 0.9) / np.median(jump[edge]))


def _swing(charge: Floats) -> float:
    level = np.cumsum(charge)
    return float(level.max(initial=0.0) - level.min(initial=0.0))


def voltage_factor(voltage: Floats, limits_volt: tuple[float, float]) -> float:
    """Return 0.001 for a voltage in mV, else 1.

    A voltage is in mV if its median is above the limits and nearly all values are within a thousand times these, and if
    it is no string of cells: the median is above 1600, or the values spread as only those of a half cell do.

    Args:
        voltage: V or mV, shape (n,), NaN where missing.
        limits_volt: lowest and highest voltage that such a cell can have, in V.
    """
    lower_limit, upper_limit = limits_volt
    if not _sampled_median(voltage) > upper_limit:
        return 1.0
    known = voltage[np.isfinite(voltage)]
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
    below_upper = float((MILLI * known <= upper_limit).mean()) >= INSIDE
    above_lower = float((MILLI * known >= lower_limit).mean()) >= INSIDE
    full_cell = above_lower and middle >= LEAST_MILLIVOLT
    half_cell = low > 0.0 and high > HALF_CELL_SPAN * low
    if below_upper and (full_cell or half_cell):
        return MILLI
    return 1.0


def _sampled_median(column: Floats) -> float:
    """Return the median of at most about ten thousand evenly taken values; NaN if none of them is known."""
    some = column[:: max(len(column) // SAMPLED, 1)]
    some = some[np.isfinite(some)]
    if not len(some):
        return np.nan
    return float(np.median(some))


def current_factor(flow: Flow, nominal_ah: float | None) -> float:
    """Return 0.001 for a current in mA, 0.000001 for one in uA, else 1.

    With a nominal capacity, the current must be too fast and the resistance too small for any cell. If it is only a
    little too fast, or if nothing shows the resistance, the charge must be too much as well. Without a nominal capacity
    there are two kinds of evidence. The current contradicts the cycler's counters: too fast and of too little
    resistance for the counted charge, and a thousandth or a millionth of it agrees with them. Or the current is too
    large for any tester: then it is in mA, or in uA if mA are too large as well.

    Args:
        flow: of one source file.
        nominal_ah: A.h; ``None`` = unknown.
    """
    if _plausible_at_a_glance(flow, nominal_ah):
        return 1.0
    typical = flow.typical
    resistance = flow.resistance
    if nominal_ah is not None:
        return _factor_from_nominal(flow, typical, resistance, nominal_ah)
    ratio = counted_ratio(flow)
    for factor in (MILLI, MICRO):
        if ratio is not None and resistance is not None and abs(ratio / factor - 1.0) <= RATIO:
            # The swing is about the capacity; the sum of many cycles would hide how fast and how small this is.
            swing_ah = flow.counted_swing
            fast = typical > FAST_PER_HOUR * swing_ah
            small_resistance = resistance * swing_ah < OTHER_RESISTANCE_AH
            return factor if fast and small_resistance else 1.0
    if resistance is None:
        return 1.0
    return _factor_from_size(flow.swing, typical, resistance)


def _plausible_at_a_glance(flow: Flow, nominal_ah: float | None) -> bool:
    """Tell whether even the largest current is plausible; then the slower evidence is not needed."""
    largest = float(np.nanmax(np.abs(flow.current), initial=0.0))
    if nominal_ah is not None:
        return largest <= FAST_PER_HOUR * nominal_ah
    if largest == 0.0:
        return True
    if largest > GIANT_AMPERE:
        return False
    # If the largest current is not too fast for the counted charge, the typical one is not either.
    swing_ah = flow.counted_swing
    return swing_ah == 0.0 or largest <= FAST_PER_HOUR * swing_ah


def _factor_from_nominal(flow: Flow, typical: float, resistance: float | None, nominal_ah: float) -> float:
    """Return the factor of a current by the nominal capacity; as :func:`current_factor`."""
    least_resistance_ah, most_resistance_ah = RESISTANCE_AH
    rate = typical / nominal_ah
    if rate <= (FAST_PER_HOUR if resistance is not None else FAST_ALONE_PER_HOUR):
        return 1.0
    if resistance is not None and resistance * nominal_ah >= least_resistance_ah / 2.0:
        return 1.0
    if flow.swing <= FAST_PER_HOUR * nominal_ah and (resistance is None or rate <= FAST_ALONE_PER_HOUR):
        return 1.0
    for factor in (MILLI, MICRO):
        plausible_resistance = True
        if resistance is not None:
            plausible_resistance = least_resistance_ah <= resistance / factor * nominal_ah <= most_resistance_ah
        if rate * factor <= FAST_PER_HOUR and plausible_resistance:
            return factor
    return 1.0


def _factor_from_size(swing: float, typical: float, resistance: float) -> float:
    """Return the largest factor with which a tester can supply the current.

    Args:
        swing: charge in h times the current's unit.
        typical: in the current's unit.
        resistance: V over the current's unit.
    """
    for factor in (1.0, MILLI, MICRO):
        giant = factor * typical > GIANT_AMPERE and factor * swing > GIANT_AH
        huge = factor * typical > HUGE_AMPERE
        if not (giant or huge) or resistance / factor >= GIANT_OHM:
            return factor
    return 1.0


def counted_ratio(flow: Flow) -> float | None:
    """Return the rise of the counters over the charge of the current; ``None`` if they do not agree on a ratio.

    It is the median over the intervals, weighted by charge.

    Args:
        flow: of one source file.
    """
    charge = np.abs(flow.charge)
    both = (charge > 0.0) & (flow.counted > 0.0)
    if not both.any():
        return None
    weight = charge[both]
    ratios = flow.counted[both] / weight
    order = np.argsort(ratios)
    reached = np.cumsum(weight[order])
    ratio = float(ratios[order][np.searchsorted(reached, 0.5 * reached[-1])])
    agreeing = weight[np.abs(ratios - ratio) <= ALIKE * ratio].sum()
    if agreeing >= AGREEING * charge.sum():
        return ratio
    return None


def counter_factor(flow: Flow) -> float:
    """Return 0.001 for counters in mAh next to a current in A, 0.000001 for uAh, else 1.

    The counters must rise by exactly a thousand or a million times the current's charge, and count far too much for the
    current; otherwise the time may be in another unit.

    Args:
        flow: of one source file, its current in A.
    """
    if not (flow.counted_in.any() or flow.counted_out.any()):
        return 1.0
    least = SLOW_PER_HOUR * flow.counted_swing
    # If more than a tenth of all samples is above it, so is the typical current; counting is faster than its quantiles.
    above = len(flow.current)
    if least != 0.0:
        above = int(np.count_nonzero(np.abs(flow.current) >= least))
    if above > 0.1 * len(flow.current) + 1.0 or flow.typical >= least:
        return 1.0
    ratio = counted_ratio(flow)
    for factor in (MILLI, MICRO):
        if ratio is not None and abs(ratio * factor - 1.0) <= RATIO:
            return factor
    return 1.0


def temperature_unit(temperature: Floats, setpoint_celsius: float | None) -> TemperatureUnit | None:
    """Return the unit of temperatures that are not in °C: K, °F, or ``None`` for °C.

    In K the median is above 200, and nearly all values are plausible after conversion. A temperature that never changes
    may be an amplifier at its limit. °F are recognised only by a setpoint: it is far away in °C, and near after
    conversion.

    Args:
        temperature: shape (n,), NaN where missing.
        setpoint_celsius: °C of the chamber, as the campaign gives it; ``None`` = unknown.
    """
    median = _sampled_median(temperature)
    if not median > HOT_KELVIN and not _far_from_setpoint(median, setpoint_celsius):
        return None
    known = temperature[np.isfinite(temperature) & (np.abs(temperature) < 1000.0)]
    if not len(known) or float(np.ptp(known)) == 0.0:
        return None
    median = float(np.median(known))
    if median > HOT_KELVIN:
        celsius = known - ZERO_CELSIUS_KELVIN
        coldest, warmest = WARM_CELSIUS
        plausible = float(((celsius > coldest) & (celsius < warmest)).mean()) >= INSIDE
        return "K" if plausible else None
    if setpoint_celsius is None or not _far_from_setpoint(median, setpoint_celsius):
        return None
    if abs(fahrenheit_to_celsius(median) - setpoint_celsius) <= FAHRENHEIT_NEAR:
        return "°F"
    return None


def _far_from_setpoint(celsius: float, setpoint_celsius: float | None) -> bool:
    return setpoint_celsius is not None and abs(celsius - setpoint_celsius) > FAHRENHEIT_FAR
