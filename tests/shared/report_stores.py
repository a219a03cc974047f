"""Names that a page must show as text, and the way back from a report's data to numbers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</script><b>$$x^2$$ & 'q' \\(y\\) @volt{0} $name",
    "电池/一号 🔋",
    "javascript:alert(3)",
    "long " + "x" * 195,
    "plain",
)
"""Ids of cells."""

HOSTILE_SET = "<img src=x onerror=alert(4)>$$a$$"
"""Name of a parameter set."""


def fill_hostile(bench: Any, cycles: int = 2) -> None:
    """Fill a store with cells and a parameter set of such names.

    Args:
        bench: a ``figure_bench.Bench``.
        cycles: of each cell.
    """
    from figure_bench import record, simulation
    from kilocell.data.settings import ParameterSetSettings

    for number, cell_id in enumerate(HOSTILE):
        measured = record(cycles=cycles)
        bench.clean(cell_id, measured)
        bench.simulate(cell_id, "SPM", "Chen2020", simulation(measured, 0.01 * (number + 1)))
        bench.simulate(
            cell_id, "DFN", ParameterSetSettings(HOSTILE_SET, "Chen2020"), simulation(measured, 0.002 * (number + 1))
        )


def decode(series: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Return the numbers of an encoded series."""
    if "f" in series:
        return np.frombuffer(base64.b64decode(series["f"]), "<f4").astype(float)
    numbers = np.frombuffer(base64.b64decode(series["u"]), "<u2").astype(float)
    return np.where(numbers == 65535, np.nan, series["lo"] + series["step"] * numbers)


def read_series(curves: dict[str, Any]) -> tuple[Any, Any, Any, list[Any]]:
    """Return time (h), voltage (V), current (A), and the errors (V) of each simulation, of all stretches together."""
    hours, volts, amperes = [], [], []
    errors: list[list[Any]] = [[] for _ in curves["simulated"]]
    for stretch in curves["stretches"]:
        hours.append(stretch["hour"] + decode(stretch["t"]))
        volts.append(decode(stretch["v"]))
        amperes.append(decode(stretch["i"]))
        for place, error in enumerate(stretch["e"]):
            errors[place].append(np.full(len(hours[-1]), np.nan) if error is None else decode(error))
    return np.concatenate(hours), np.concatenate(volts), np.concatenate(amperes), [np.concatenate(e) for e in errors]


def read_panel(path: Path) -> tuple[int, str]:
    """Return number and id of the cell of a side file."""
    text = path.read_text(encoding="utf-8")
    call, _, rest = text.partition("(")
    number, _, panel = rest.rstrip().removesuffix(");").partition(",")
    assert call == "kilocellCell"
    return int(number), json.loads(panel)["id"]
