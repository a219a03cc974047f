"""Cleaning rules about what a record lacks: any current at all, or its end."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Floats, Mask
from ...data.rules import Severity
from ...data.settings import CleanSettings
from ...data.text import format_amount, format_count
from ..record.charge import charge_in_out_ah, interval_charge_ah
from ..record.usable_current import voltage_moves
from .current import FIRST_SAMPLES, LEAST_DISCHARGE
from .rule import Event, RuleOutcome, column_values, rest_current, set_flag

ALIKE_CURRENT: Final = 0.2  # by which share the currents of like steps may differ
SHORT_SHARE: Final = 0.9  # of the charge of the shortest like step
LIMIT_VOLT: Final = 0.02  # from where like steps end, or from the record's extremes
FAR_SHARE: Final = 0.1  # of the record's range of voltages
PEER_CYCLES: Final = 2  # whole cycles that the last one is compared with
PEER_TOLERANCE: Final = 0.2  # by which share their charges may differ
INCOMPLETE: Final = 0.5  # of their charge


def rest_only(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report a record in which the cell rests throughout: there is nothing to simulate.

    Where the voltage moves by more than 0.5 V meanwhile, it is the current that is not there.
    """
    current, voltage = column_values(frame, c.CURRENT), column_values(frame, c.VOLTAGE)
    # A step of which half carries a current is there wherever half of all does: nothing else to look for.
    if 2 * np.count_nonzero(np.abs(current) > rest_current(settings)) >= np.count_nonzero(np.isfinite(current)) > 0:
        return RuleOutcome(frame)
    # As steps are classified: by their median.
    carrying = pd.Series(np.where(np.isfinite(current), np.abs(current) > rest_current(settings), np.nan))
    if (carrying.groupby(frame[c.STEP_COUNT].to_numpy()).mean() >= 0.5).any():
        return RuleOutcome(frame)
    known = voltage[np.isfinite(voltage)]
    largest = float(np.nanmax(np.abs(current), initial=0.0))
    moved = float(np.ptp(np.quantile(known, [0.01, 0.99]))) if len(known) else 0.0
    before = f"at most {largest:.3g} A, while the voltage moves by {moved:.3g} V"
    after = "a current that is missing or too coarse" if voltage_moves(voltage) else "nothing to simulate"
    severity: Severity = "error" if voltage_moves(voltage) else "warning"
    event = Event("rest_only", int(frame.index[0]), len(frame), before, after, "reported", severity)
    return RuleOutcome(frame, (event,))


def aborted_test(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report a record that ends in the middle of a step under current, or with a cycle that its fellows go beyond.

    The last step is broken off where like steps (the same direction and current) all passed more charge and ended at
    another voltage; without like steps, where it ends far from both ends of the record's voltages. The last cycle is
    incomplete where it has less than half of the charge of two whole cycles before it, which agree.
    """
    events = [*_broken_step(frame, settings), *_broken_cycle(frame)]
    if not events:
        return RuleOutcome(frame)
    last = np.zeros(len(frame), dtype=bool)
    last[-1] = True
    return RuleOutcome(set_flag(frame, last, "aborted_test"), tuple(events))


def _broken_step(frame: pd.DataFrame, settings: CleanSettings) -> list[Event]:
    voltage, current = column_values(frame, c.VOLTAGE), column_values(frame, c.CURRENT)
    if not np.abs(current[-1]) > rest_current(settings) or not np.isfinite(voltage[-1]):
        return []
    number, _ = pd.factorize(frame[c.STEP_COUNT].to_numpy())
    charge = np.append(
        0.0, interval_charge_ah(column_values(frame, c.TEST_TIME), current, frame[c.FLAGS].to_numpy(np.int64))
    )
    steps = pd.DataFrame({"n": number, "v": voltage, "i": current, "q": charge}).groupby("n")
    end, middle = steps["v"].last().to_numpy(), steps["i"].median().to_numpy()
    passed = np.abs(steps["q"].sum().to_numpy())
    like = np.abs(middle - middle[-1]) <= ALIKE_CURRENT * abs(middle[-1])
    like[-1] = False
    if like.any():
        near = np.abs(end[like] - end[-1]) <= LIMIT_VOLT
        broken = bool(passed[-1] < SHORT_SHARE * passed[like].min()) and not near.any()
        after = f"{format_count(int(like.sum()), 'like step')} passed {passed[like].min():.4g} A.h or more"
    else:
        low, high = np.nanquantile(voltage, [0.005, 0.995])
        far = max(LIMIT_VOLT, FAR_SHARE * (high - low))
        broken = bool(low + far < voltage[-1] < high - far)
        after = f"between the record's {low:.4g} and {high:.4g} V"
    if not broken:
        return []
    before = f"ends at {voltage[-1]:.4g} V under {format_amount(current[-1])} A after {passed[-1]:.4g} A.h of its step"
    rows = int((number == number[-1]).sum())
    severity: Severity = "warning" if like.any() else "info"
    return [Event("aborted_test", int(frame.index[-1]), rows, before, after, "reported", severity)]


def _broken_cycle(frame: pd.DataFrame) -> list[Event]:
    count = frame[c.CYCLE_COUNT].to_numpy()
    if count[-1] <= PEER_CYCLES:
        return []
    # From the first interval on that ends in one of the cycles that are compared.
    start = max(int(np.argmax(count >= count[-1] - PEER_CYCLES)) - 1, 0)
    time, current, flags = (
        column_values(frame, c.TEST_TIME),
        column_values(frame, c.CURRENT),
        frame[c.FLAGS].to_numpy(np.int64),
    )
    charge = interval_charge_ah(time[start:], current[start:], flags[start:])
    cycle = np.maximum((count[start + 1 :] - count[-1] + PEER_CYCLES).astype(np.int64), 0)
    ways = [np.bincount(cycle, np.clip(sign * charge, 0.0, None)).astype(np.float64) for sign in (1.0, -1.0)]
    words = []
    for way, name in zip(ways, ("in", "out"), strict=True):
        before = way[-1 - PEER_CYCLES : -1]
        if _agree(before) and way[-1] < INCOMPLETE * before.min():
            words.append(f"{way[-1]:.4g} A.h {name} of {np.median(before):.4g}")
    if not words:
        return []
    first = int(np.argmax(frame[c.CYCLE_COUNT].to_numpy() == frame[c.CYCLE_COUNT].iloc[-1]))
    event = Event("aborted_test", int(frame.index[first]), len(frame) - first, f"last cycle: {', '.join(words)}",
                  "incomplete, compared with the cycles before", "reported", "info")  # fmt: skip
    return [event]


def _agree(charges: Floats) -> bool:
    agree: Mask = charges >= (1.0 - PEER_TOLERANCE) * charges.max()
    return bool(agree.all()) and float(charges.max()) > 0.0


def no_discharge(frame: pd.DataFrame, settings: CleanSettings) -> RuleOutcome:
    """Report a record in which next to nothing was taken out of the cell."""
    time, current, flags = (
        column_values(frame, c.TEST_TIME),
        column_values(frame, c.CURRENT),
        frame[c.FLAGS].to_numpy(dtype=np.int64),
    )
    least = LEAST_DISCHARGE * (settings.nominal_capacity_ah or 1.0)
    # What the first samples give is enough to tell, nearly always.
    early = slice(FIRST_SAMPLES)
    if charge_in_out_ah(time[early], current[early], flags[early])[1] > 2.0 * least:
        return RuleOutcome(frame)
    _, out = charge_in_out_ah(time, current, flags)
    if out >= least:
        return RuleOutcome(frame)
    event = Event("no_discharge", int(frame.index[0]), len(frame), f"{out:.4g} A.h out", "as it was", "reported")
    return RuleOutcome(frame, (event,))
