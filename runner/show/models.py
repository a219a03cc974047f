"""What ``kilocell models`` prints: the models that a campaign can name, and the options of one."""

from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ...data.errors import UsageError
from ...data.names import suggest_or_list
from ...data.settings import MODEL_TYPES
from .table import table, table_to_json

if TYPE_CHECKING:
    from ...jobs.models.options import ModelOption

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "SPM": ("one particle stands for each electrode", "the overpotential of the electrolyte"),
    "SPMe": (
        "SPM with the electrolyte averaged over each electrode",
        "a reaction that is uneven through the electrodes' depth",
    ),
    "DFN": ("particles and electrolyte through the depth (Doyle, Fuller, Newman)", "none of these; it takes longest"),
    "MPM": ("SPM with a distribution of particle sizes", "the electrolyte, as SPM"),
    "MSMR": (
        "DFN whose potentials are sums of reactions (multi-species, multi-reaction)",
        "as DFN; it needs a set with host sites",
    ),
    "NewmanTobias": ("potentials through the depth", "gradients of concentration, in particles and electrolyte"),
    "Yang2017": ("DFN with SEI, plating and pore clogging", "as DFN; it needs a set with SEI and plating"),
    "SplitOCVR": ("two electrodes' open-circuit potentials and a resistance", "all diffusion"),
    "Thevenin": (
        "equivalent circuit: open-circuit voltage, resistor, RC elements",
        "the electrodes: no parameters of materials",
    ),
}
"""For each type of model: what it is, and what it leaves out."""

GIVEN: Final = {"operating mode": "the replay gives the measured current"}
"""Options that a campaign does not choose, and why."""

WIDEST: Final = 88


def show_models(model_type: str | None, json_: bool) -> None:
    """Print the types of models, or the options of one.

    Raises:
        UsageError: there is no such type.
    """
    if model_type is None:
        headings = ("model", "what it is", "what it leaves out")
        rows = [(name, *WORDS.get(name, ("", ""))) for name in MODEL_TYPES]
        print(table_to_json(headings, rows) if json_ else table(headings, rows, widest=100))
        if not json_:
            print("\noptions of one: kilocell models SPMe; sets that fit: kilocell parameters")
        return
    if model_type not in MODEL_TYPES:
        raise UsageError(f"unknown model {model_type!r}{suggest_or_list(model_type, MODEL_TYPES)}")
    print("loading PyBaMM …", file=sys.stderr)
    from ...jobs.models.options import default_mesh, list_options

    options, mesh = list_options(model_type), default_mesh(model_type)
    if json_:
        plain = [dataclasses.asdict(option) for option in options]
        print(json.dumps({"model": model_type, "options": plain, "mesh": dict(mesh)}, ensure_ascii=False, indent=1))
        return
    print(f"{model_type}: {WORDS[model_type][0]}\n" if model_type in WORDS else f"{model_type}\n")
    print(table(("option", "default", "values"), list(_rows(options)), widest=WIDEST))
    print("\nmesh: " + (", ".join(f"{name} = {number}" for name, number in mesh) or "none"))
    print("in a campaign: [[models]] with type, options = {…} and mesh = {…}")
    print('an option of both electrodes may be a pair: "particle phases" = ["2", "1"] for negative and positive')


def _rows(options: Sequence[ModelOption]) -> Sequence[tuple[str, str, str]]:
    """A row for each option, and one more for each further line of values."""
    rows = []
    for option in options:
        values = GIVEN.get(option.option) or ", ".join(option.values) or "fixed"
        if option.needed:
            values = "must be given; this is an example"
        first, *more = textwrap.wrap(values, WIDEST)
        rows.append((option.option, option.default, first))
        rows += [("", "", line) for line in more]
    return rows
