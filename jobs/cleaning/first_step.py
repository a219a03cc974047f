"""The charge before the first row: cyclers that write no row when a step begins leave its first part out."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ...data import columns as c
from ...data.arrays import Floats, Integers
from ...data.convert import SECONDS_PER_HOUR
from ...data.rules import flag_bit
from ..record.table import Table
from .counted_charge import CountedCharge
from .interval_evidence import STEP_TIME_SHARE, believed_step_time
from .rule import column_values
from .step_edges import EdgeEvidence, OpenCharge

SAME_CHARGE: Final = 0.02
"""Share by which the counters' first values may differ from the first current times the time before the first row.
Chosen, not measured."""

LEAST_SHARE: Final = 1e-6
"""Share of the record's throughput: less charge before the first row is not worth a sample. Chosen, not measured."""


def add_first_step(
    evidence: EdgeEvidence, frame: Table, step: Integers, raw_second: Floats, rest_ampere: float
) -> EdgeEvidence:
    """Insert a sample where the first step began, if the file says that it began before the first row.

    The step time of the first row says how long ago that was. It counts if the test began with this step by the test
    time of the file, or, without a test time, if the second row is as far away or of another step. Without a step time
    the test time itself counts if the counters already show the current times that time. The current is that of the
    first row.

    Args:
        evidence: of the record, with its inserted samples.
        frame: the record before samples were inserted.
        step: the step of each row, shape (n,).
        raw_second: the test time of the raw rows, with the labels of ``frame``.
        rest_ampere: A, up to which the cell rests.
    """
    current = column_values(frame, c.CURRENT)
    if not abs(current[0]) > rest_ampere:
        return evidence
    counter_ah = _first_counted_ah(frame, evidence.counted)
    is_step_counter = evidence.counted is not None and evidence.counted.column == c.STEP_CAPACITY
    second, by_step_time = _second_before(frame, step, raw_second, counter_ah, is_step_counter)
    charge_ah = current[0] * second / SECONDS_PER_HOUR
    if charge_ah == 0.0:
        return evidence
    hours = np.diff(column_values(frame, c.TEST_TIME)) / SECONDS_PER_HOUR
    if not abs(charge_ah) > LEAST_SHARE * float(np.nansum(np.abs(current[1:]) * hours)):
        return evidence
    counted = evidence.counted
    if counted is not None:
        counted = replace(counted, first_ah=charge_ah if np.isnan(counter_ah) else counter_ah)
    agrees = abs(counter_ah / charge_ah - 1.0) <= SAME_CHARGE
    is_open = step[1] != step[0] and not agrees
    # The only row of a step may be the end of a hold, in which the current was larger before.
    open_ah = abs(charge_ah) if is_open else 0.0
    if np.isfinite(counter_ah):
        open_ah = max(abs(counter_ah - charge_ah), 0.0)
    return replace(
        evidence,
        frame=_with_first_sample(evidence.frame, second),
        counted=counted,
        uses_step_time=evidence.uses_step_time or by_step_time,
        uses_counter=evidence.uses_counter or agrees,
        open_charge=_with_open(evidence.open_charge, frame, charge_ah, open_ah),
    )


def _first_counted_ah(frame: Table, counted: CountedCharge | None) -> float:
    """Return what the believed counter shows in the first row in A.h, positive into the cell; NaN without a counter."""
    if counted is None:
        return float("nan")
    if counted.column:
        shown = float(frame[counted.column][0])
        if counted.column == c.STEP_CAPACITY:
            shown = abs(shown) * float(np.sign(frame[c.CURRENT][0]))
    else:
        pair = np.nan_to_num([frame[c.CHARGING_CAPACITY][0], frame[c.DISCHARGING_CAPACITY][0]])
        shown = float(abs(pair[0]) - abs(pair[1]))
    return shown * counted.factor


def _second_before(
    frame: Table, step: Integers, raw_second: Floats, counter_ah: float, is_step_counter: bool
) -> tuple[float, bool]:
    """Return for how long the first row's step had run in s (0 = unknown), and whether the step time says so."""
    time = column_values(frame, c.TEST_TIME)
    began_second = _test_second(time, raw_second[frame.labels[:2]])
    step_second, tick = believed_step_time(frame, step[1:] != step[:-1])
    if step_second is not None and np.isfinite(step_second[0]):
        since = float(step_second[0])
        if np.isfinite(began_second):
            is_first = abs(began_second - since) <= STEP_TIME_SHARE * since + 2.0 * tick
            # A counter of the test or of a cycle that shows just this charge began with this step, too.
            shown = SECONDS_PER_HOUR * counter_ah / float(column_values(frame, c.CURRENT)[0])
            is_first |= not is_step_counter and abs(shown / since - 1.0) <= SAME_CHARGE if since > 0.0 else False
        else:
            is_first = step[1] != step[0] or since <= (time[1] - time[0]) * (1.0 + STEP_TIME_SHARE)
        return (since, True) if is_first and since > 0.0 else (0.0, False)
    by_time_ah = float(column_values(frame, c.CURRENT)[0]) * began_second / SECONDS_PER_HOUR
    if began_second > 0.0 and counter_ah != 0.0 and abs(by_time_ah / counter_ah - 1.0) <= SAME_CHARGE:
        return began_second, False
    return 0.0, False


def _test_second(time: np.ndarray, raw: np.ndarray) -> float:
    """Return the file's test time at the first row in s; NaN without one. The first two rows give the unit."""
    if len(raw) < 2 or not raw[1] > raw[0]:
        return float("nan")
    return float(raw[0] * (time[1] - time[0]) / (raw[1] - raw[0]))


def _with_first_sample(frame: Table, second: float) -> Table:
    """Return the record with a copy of its first row before it, and all times since then."""
    joined = frame.rows(np.concatenate([[0], np.arange(len(frame))]))
    for name in (c.TEST_TIME, c.UNIX_TIME):
        joined[name][0] -= second
    joined[c.FLAGS][0] = flag_bit("step_edge")
    joined[c.SOURCE_ROW][0] = c.NO_SOURCE_ROW
    for name in (c.CHARGING_CAPACITY, c.DISCHARGING_CAPACITY):
        joined[name][0] = np.nan
    return joined.assign(**{c.TEST_TIME: joined[c.TEST_TIME] - joined[c.TEST_TIME][0]})


def _with_open(left: OpenCharge, frame: Table, charge_ah: float, open_ah: float) -> OpenCharge:
    """Return what is left open, together with that of the first step."""
    cycle = frame[c.CYCLE_COUNT][:1].astype(np.int64)
    into = np.array([open_ah if charge_ah > 0.0 else 0.0])
    out = np.array([open_ah if charge_ah < 0.0 else 0.0])
    return replace(
        left,
        cycle_count=np.append(left.cycle_count, cycle),
        in_less=np.append(left.in_less, into),
        in_more=np.append(left.in_more, into),
        out_less=np.append(left.out_less, out),
        out_more=np.append(left.out_more, out),
    )
