"""Plant typical defects of a lab in a clean record: which defects each synthetic cell gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from .cycler import CyclerRecord, calm_rows
from .planting import Bench, Defect
from .sample_defects import SAMPLE_PLANTS

DefectPlan = tuple[tuple[str, int], ...]
SAMPLE_PLANS: Final[tuple[DefectPlan, ...]] = (
    (
        *(("voltage_missing", 1),) * 4, ("voltage_missing", 4), ("voltage_missing", 14), *(("current_missing", 1),) * 3,
        ("duplicate_row", 4), ("voltage_spike", 3), ("time_order", 2),
    ),
    (
        ("voltage_missing", 6), ("temperature_missing", 10), ("step_glitch", 3), ("step_glitch", 2),
        ("duplicate_time", 3), ("time_order", 4), ("time_restart", 1),
    ),
    (
        ("current_offset", 1), ("cycle_jump", 5), *(("current_missing", 1),) * 3, ("temperature_missing", 1),
        ("duplicate_time", 3), ("duplicate_row", 3), ("voltage_spike", 2),
    ),
    (
        *(("voltage_missing", 1),) * 3, ("current_missing", 3), ("lost_contact", 5), ("voltage_spike", 4),
        ("time_order", 3), ("step_glitch", 1), ("duplicate_row", 2),
    ),
    (
        ("time_gap", 1), ("voltage_missing", 2), *(("temperature_missing", 1),) * 2, ("current_missing", 2),
        ("step_glitch", 4), ("step_glitch", 1), ("duplicate_row", 3), ("duplicate_time", 2), ("voltage_spike", 1),
    ),
)  # fmt: skip
"""The defects of the first five cells, as (rule, number of :data:`~kilocell.data.synthetic.planting.Plant`)."""

CHANNEL_PLANS: Final[tuple[DefectPlan, ...]] = (
    (
        ("step_renumbered", 4), ("time_missing", 3), ("number_unreadable", 3), ("current_spike", 2),
        ("temperature_range", 5), ("duplicate_time", 3), ("voltage_missing", 2), ("voltage_missing", 5),
    ),
    (
        ("current_sign", 1), ("temperature_jump", 4), ("voltage_range", 6), ("voltage_spike", 3), ("step_glitch", 2),
        ("current_missing", 2), ("time_order", 3),
    ),
    (
        ("time_resolution", 1), ("temperature_stuck", 1), ("lost_contact", 6), ("current_spike", 2),
        ("temperature_range", 1), ("voltage_missing", 3),
    ),
    (
        ("temperature_noise", 120), ("voltage_stuck", 1), ("number_unreadable", 2), ("step_glitch", 3),
        ("duplicate_row", 4), ("voltage_range", 3),
    ),
    (
        ("chamber_off", 1), ("impedance_row", 8), ("cycle_jump", 2), ("time_missing", 2), ("current_missing", 4),
        ("duplicate_time", 2), ("time_order", 2),
    ),
)  # fmt: skip
"""The defects of the next five cells."""

ALL_PLANS: Final = SAMPLE_PLANS + CHANNEL_PLANS


def damage(
    record: CyclerRecord, plan: DefectPlan, nominal_capacity_ah: float, rng: np.random.Generator
) -> tuple[CyclerRecord, tuple[Defect, ...]]:
    """Plant the defects of a plan in a copy of a record, in random rows that are far from edges and from each other.

    A defect for which the record has no place (no rest that is long enough, no second cycle) is omitted.

    Args:
        record: the clean record; it is not changed.
        plan: the defects, one of :data:`ALL_PLANS`.
        nominal_capacity_ah: of the cell (A.h).
        rng: source of all random choices.

    Returns:
        The damaged record, and the defects in the order of the plan, with their rows in the damaged record.
    """
    columns = {name: getattr(record, name).copy() for name in CyclerRecord.__slots__}
    untouched = np.full(len(record), -1, dtype=np.int64)
    bench = Bench(columns, calm_rows(record, nominal_capacity_ah), untouched, nominal_capacity_ah, rng)
    for rule, length in plan:
        SAMPLE_PLANTS[rule](bench, length)
    defects = tuple(
        replace(defect, rows=tuple(np.flatnonzero(bench.touched == number).tolist()) or defect.rows)
        for number, defect in enumerate(bench.planted)
    )
    return CyclerRecord(**bench.columns), defects
