"""Count the simulations of each parameter set again, over those that a user selects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def count_again(sets: Sequence[Row], simulations: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the parameter sets that simulations use, with the number and the RMSE of only these.

    Args:
        sets: rows of the view ``model_parameter_sets``.
        simulations: with model, parameter_set, parameter_set_digest, standing, status and rmse_mv (mV, or ``None``).
    """
    used: dict[tuple[Any, ...], list[Row]] = {}
    for row in simulations:
        used.setdefault(_key(row), []).append(row)
    return [_counted(row, used[_key(row)]) for row in sets if _key(row) in used]


def join_stretches(stretches: Iterable[Row]) -> dict[tuple[str, str], float]:
    """Return the RMSE of each simulation over all stretches of a selection, in mV, by cell and label.

    Args:
        stretches: with cell_id, label, samples and rmse_mv (mV, or ``None``).
    """
    sums: dict[tuple[str, str], tuple[float, int]] = {}
    for row in stretches:
        if row["rmse_mv"] is not None and row["samples"]:
            square, samples = sums.get((row["cell_id"], row["label"]), (0.0, 0))
            summed = (square + row["samples"] * row["rmse_mv"] ** 2, samples + row["samples"])
            sums[row["cell_id"], row["label"]] = summed
    return {name: math.sqrt(square / samples) for name, (square, samples) in sums.items()}


def _key(row: Row) -> tuple[Any, ...]:
    return (row["model"], row["parameter_set"], row["parameter_set_digest"], row["standing"])


def _counted(row: Row, simulations: Sequence[Row]) -> dict[str, Any]:
    errors = [one["rmse_mv"] for one in simulations if one["rmse_mv"] is not None]
    return {
        **row,
        "cells": len(simulations),
        "cells_done": sum(one["status"] == "done" for one in simulations),
        "cells_failed": sum(one["status"] == "failed" for one in simulations),
        "rmse_mean_mv": sum(errors) / len(errors) if errors else None,
        "rmse_min_mv": min(errors, default=None),
        "rmse_max_mv": max(errors, default=None),
    }
