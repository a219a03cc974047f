"""Planted defects undone, from what the truth says of them."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from kilocell.data.synthetic.cycler import CyclerRecord
from kilocell.data.synthetic.planting import Defect
from kilocell.data.synthetic.sample_defects import CLOCK_LOST_MS

COLUMNS = [field.name for field in fields(CyclerRecord)]


def repaired(record: CyclerRecord, defects: tuple[Defect, ...]) -> CyclerRecord:
    """Undo every defect but the rows that a power cut took, from what is written down."""
    columns = {name: getattr(record, name).copy() for name in COLUMNS}
    order = np.arange(len(record))
    for defect in reversed(defects):
        rows = np.array(defect.rows)
        if defect.rule in ("current_sign", "time_resolution"):
            columns["current"] = -columns["current"] if defect.rule == "current_sign" else columns["current"]
        elif defect.rule == "step_renumbered":
            columns["step"] = columns["step"] - int(str(defect.before).split()[-1])
        elif defect.rule == "chamber_off":
            pass
        elif defect.rule == "current_offset":
            offset = float(str(defect.before).split()[-2])
            columns["current"] = np.round(columns["current"] - offset, 5)
        elif defect.rule == "cycle_jump":
            columns["cycle"][rows[0] :] -= columns["cycle"][rows[0]] - int(defect.before[0])
        elif defect.rule == "time_restart":
            columns["time_ms"][rows[0] :] += CLOCK_LOST_MS
        elif defect.rule == "time_order":
            order[rows] = rows[::-1]
        elif defect.column and defect.rule != "duplicate_time":
            before = np.array(defect.before).reshape(len(rows), -1)
            for position, name in enumerate(defect.column.split(",")):
                columns[name][rows] = before[:, position]
    inserted = ("duplicate_row", "duplicate_time", "impedance_row")
    extra = [row for defect in defects if defect.rule in inserted for row in defect.rows]
    order = np.delete(order, extra)
    return CyclerRecord(**{name: values[order] for name, values in columns.items()})
