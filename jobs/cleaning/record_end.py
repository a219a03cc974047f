"""Cleaning rules about what a record lacks: any current, a discharge, or its end."""

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
from ..record.table import Table
from ..record.usable_current import voltage_moves
from .rule import (
    Event,
    RuleOutcome,
    cell_capacity_ah,
    charge_between_samples_ah,
    column_values,
    flag_values,
    rest_current,
    set_flag,
)

# aborted_test: the last step

ALIKE_CURRENT: Final = 0.2
"""Share of the last step's median current: steps are alike if theirs differ by less. Chosen, not measured."""

SHORT_SHARE: Final = 0.9
"""Share of the smallest charge of all like steps: a step with less has ended early. Chosen, not measured."""

LIMIT_VOLT: Final = 0.02
"""V: a step that ends this close to the end of a like step, or to the record's highest or lowest voltage, is complete.
Chosen, not measured."""

FAR_SHARE: Final = 0.1
"""Share of the record's range of voltages: without like steps, a step that ends this far from both ends of the range
has ended early. Chosen, not measured."""

# aborted_test: the last cycle

PEER_CYCLES: Final = 2
"""Number of whole cycles with which the last one is compared. Chosen, not measured."""

PEER_TOLERANCE: Final = 0.2
"""Share by which the charges of these cycles may differ. Chosen, not measured."""

INCOMPLETE: Final = 0.5
"""Share of the smallest of these charges: a cycle with less is incomplete. Chosen, not measured."""

# no_discharge

LEAST_DISCHARGE: Final = 0.001
"""Share of the capacity: a record with less charge out of the cell has no discharge. Chosen, not measured."""

FIRST_SAMPLES: Final = 50_000
"""Number of samples in which a discharge is searched first, to save time; it does not change the result."""

DISCHARGE_MARGIN: Final = 2.0
"""The first samples show a discharge if they have this many times ``LEAST_DISCHARGE``, to save time; it does not change
the result."""


def rest_only(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report a record in which the cell rests throughout: there is nothing to simulate.

    If the voltage moves by more than 0.5 V meanwhile, the current is missing.
    """
    current = column_values(frame, c.CURRENT)
    voltage = column_values(frame, c.VOLTAGE)
    rest = rest_current(settings)
    # If half of all samples carry a current, so does half of some step: no need to look at the steps.
    if 2 * np.count_nonzero(np.abs(current) > rest) >= np.count_nonzero(np.isfinite(current)) > 0:
        return RuleOutcome(frame)
    # The median of a step decides, as when steps are classified.
    carrying = pd.Series(np.where(np.isfinite(current), np.abs(current) > rest, np.nan))
    if (carrying.groupby(frame[c.STEP_COUNT]).mean() >= 0.5).any():
        return RuleOutcome(frame)
    known = voltage[np.isfinite(voltage)]
    moved = float(np.ptp(np.quantile(known, [0.01, 0.99]))) if len(known) else 0.0
    largest = float(np.nanmax(np.abs(current), initial=0.0))
    before = f"at most {largest:.3g} A, while the voltage moves by {moved:.3g} V"
    after = "nothing to simulate"
    severity: Severity = "warning"
    if voltage_moves(voltage):
        after = "a current that is missing or too coarse"
        severity = "error"
    event = Event("rest_only", int(frame.labels[0]), len(frame), before, after, "reported", severity)
    return RuleOutcome(frame, (event,))


def aborted_test(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report a record that ends in the middle of a step under current, or with an incomplete cycle.

    The last step has ended early if like steps (the same direction and current) all passed more charge and ended at
    another voltage; without like steps, if it ends far from both ends of the record's voltages. The last cycle is
    incomplete if it has less than half of the charge of two whole cycles before it, whose charges agree.
    """
    events = [*_broken_step(frame, settings), *_broken_cycle(frame)]
    if not events:
        return RuleOutcome(frame)
    last = np.zeros(len(frame), dtype=bool)
    last[-1] = True
    return RuleOutcome(set_flag(frame, last, "aborted_test"), tuple(events))


def _broken_step(frame: Table, settings: CleanSettings) -> list[Event]:
    """Return the event of a last step that has ended early, or none."""
    voltage = column_values(frame, c.VOLTAGE)
    current = column_values(frame, c.CURRENT)
    if not np.abs(current[-1]) > rest_current(settings) or not np.isfinite(voltage[-1]):
        return []
    number, _ = pd.factorize(frame[c.STEP_COUNT])
    charge = np.append(0.0, charge_between_samples_ah(frame))
    steps = pd.DataFrame({"number": number, "volt": voltage, "ampere": current, "ah": charge}).groupby("number")
    end_volt = steps["volt"].last().to_numpy()
    median_ampere = steps["ampere"].median().to_numpy()
    passed_ah = np.abs(steps["ah"].sum().to_numpy())
    like = np.abs(median_ampere - median_ampere[-1]) <= ALIKE_CURRENT * abs(median_ampere[-1])
    like[-1] = False
    severity: Severity
    if like.any():
        least_ah = passed_ah[like].min()
        near = np.abs(end_volt[like] - end_volt[-1]) <= LIMIT_VOLT
        broken = bool(passed_ah[-1] < SHORT_SHARE * least_ah) and not near.any()
        after = f"{format_count(int(like.sum()), 'like step')} passed {least_ah:.4g} A.h or more"
        severity = "warning"
    else:
        low, high = np.nanquantile(voltage, [0.005, 0.995])
        far = max(LIMIT_VOLT, FAR_SHARE * (high - low))
        broken = bool(low + far < voltage[-1] < high - far)
        after = f"between the record's {low:.4g} and {high:.4g} V"
        severity = "info"
    if not broken:
        return []
    before = (
        f"ends at {voltage[-1]:.4g} V under {format_amount(current[-1])} A after {passed_ah[-1]:.4g} A.h of its step"
    )
    rows = int((number == number[-1]).sum())
    return [Event("aborted_test", int(frame.labels[-1]), rows, before, after, "reported", severity)]


def _broken_cycle(frame: Table) -> list[Event]:
    """Return the event of an incomplete last cycle, or none."""
    count = frame[c.CYCLE_COUNT]
    if count[-1] <= PEER_CYCLES:
        return []
    # From the first interval on that ends in one of the compared cycles.
    first_peer = count[-1] - PEER_CYCLES
    start = max(int(np.argmax(count >= first_peer)) - 1, 0)
    time = column_values(frame, c.TEST_TIME)[start:]
    current = column_values(frame, c.CURRENT)[start:]
    charge = interval_charge_ah(time, current, flag_values(frame)[start:])
    cycle = np.maximum((count[start + 1 :] - first_peer).astype(np.int64), 0)
    texts = []
    for sign, name in ((1.0, "in"), (-1.0, "out")):
        by_cycle = np.bincount(cycle, np.clip(sign * charge, 0.0, None)).astype(np.float64)
        peers = by_cycle[-1 - PEER_CYCLES : -1]
        if _agree(peers) and by_cycle[-1] < INCOMPLETE * peers.min():
            texts.append(f"{by_cycle[-1]:.4g} A.h {name} of {np.median(peers):.4g}")
    if not texts:
        return []
    first = int(np.argmax(count == count[-1]))
    before = f"last cycle: {', '.join(texts)}"
    after = "incomplete, compared with the cycles before"
    return [Event("aborted_test", int(frame.labels[first]), len(frame) - first, before, after, "reported", "info")]


def _agree(charges: Floats) -> bool:
    """Tell whether charges of cycles in A.h differ by ``PEER_TOLERANCE`` at most, and are not all zero."""
    agree: Mask = charges >= (1.0 - PEER_TOLERANCE) * charges.max()
    return bool(agree.all()) and float(charges.max()) > 0.0


def no_discharge(frame: Table, settings: CleanSettings) -> RuleOutcome:
    """Report a record in which the cell was hardly discharged."""
    time = column_values(frame, c.TEST_TIME)
    current = column_values(frame, c.CURRENT)
    flags = flag_values(frame)
    least_ah = LEAST_DISCHARGE * cell_capacity_ah(settings)
    # The first samples are nearly always enough.
    early = slice(FIRST_SAMPLES)
    _, early_out_ah = charge_in_out_ah(time[early], current[early], flags[early])
    if early_out_ah > DISCHARGE_MARGIN * least_ah:
        return RuleOutcome(frame)
    _, out_ah = charge_in_out_ah(time, current, flags)
    if out_ah >= least_ah:
        return RuleOutcome(frame)
    event = Event("no_discharge", int(frame.labels[0]), len(frame), f"{out_ah:.4g} A.h out", "as it was", "reported")
    return RuleOutcome(frame, (event,))
