"""What ``kilocell models`` prints: the models that a campaign can name, and the options of one."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ...data.errors import UsageError
from ...data.settings import MODEL_TYPES
from ..campaign.hints import describe_model
from .table import table, table_to_json, table_with_text

if TYPE_CHECKING:
    from ...jobs.models.options import ModelOption

DESCRIPTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "SPM": ("a single particle represents each electrode", "the overpotential of the electrolyte"),
    "SPMe": (
        "SPM with an electrolyte, averaged over each electrode",
        "a reaction that varies through the depth of an electrode",
    ),
    "DFN": ("particles and electrolyte through the depth (Doyle, Fuller, Newman)", "none of these; slowest"),
    "MPM": ("SPM with a distribution of particle sizes", "the electrolyte, as SPM"),
    "MSMR": (
        "DFN with open-circuit potentials as sums of reactions (multi-species, multi-reaction)",
        "as DFN; needs a set with host sites",
    ),
    "NewmanTobias": ("potentials through the depth", "concentration gradients, in particles and electrolyte"),
    "Yang2017": ("DFN with SEI, plating and pore clogging", "as DFN; needs a set with SEI and plating"),
    "SplitOCVR": ("open-circuit potentials of both electrodes and a resistance", "all diffusion"),
    "Thevenin": (
        "equivalent circuit: open-circuit voltage, resistor, RC elements",
        "the electrodes: it has no material parameters",
    ),
}
"""For each type of model: what it is, and what it leaves out."""

FIXED: Final = {"operating mode": "fixed: the measured current drives the model"}
"""Options that a campaign cannot choose, and why."""


def show_models(model_type: str | None, json_: bool) -> None:
    """Print the types of models, or the options of one.

    Args:
        model_type: such as ``SPMe``; ``None`` = list all types.
        json_: print JSON.

    Raises:
        UsageError: there is no such type; the text gives the nearest name.
    """
    if model_type is None:
        _show_types(json_)
        return
    if model_type not in MODEL_TYPES:
        raise UsageError(f"unknown model {model_type!r}{describe_model(model_type)}")
    print("loading PyBaMM …", file=sys.stderr)
    from ...jobs.models.options import default_mesh, list_options

    options = list_options(model_type)
    mesh = default_mesh(model_type)
    if json_:
        plain = [dataclasses.asdict(option) for option in options]
        print(json.dumps({"model": model_type, "options": plain, "mesh": dict(mesh)}, ensure_ascii=False, indent=1))
        return
    title = model_type
    if model_type in DESCRIPTIONS:
        title += f": {DESCRIPTIONS[model_type][0]}"
    print(f"{title}\n")
    rows = [(option.option, option.default, _values_text(option)) for option in options]
    print(table_with_text(("option", "default", "values"), rows))
    print("\nmesh: " + (", ".join(f"{name} = {number}" for name, number in mesh) or "none"))
    print("in a campaign file: [[models]] with type, options = {…} and mesh = {…}")
    print('to set an option for each electrode, give a pair (negative, positive): "particle phases" = ["2", "1"]')


def _show_types(json_: bool) -> None:
    headings = ("model", "what it is", "what it leaves out")
    rows = [(name, *DESCRIPTIONS.get(name, ("", ""))) for name in MODEL_TYPES]
    if json_:
        print(table_to_json(headings, rows))
        return
    print(table(headings, rows))
    print("\nto see a model's options: kilocell models SPMe; to see parameter sets: kilocell parameters")


def _values_text(option: ModelOption) -> str:
    if option.needed:
        return "required; the default is an example"
    if option.option in FIXED:
        return FIXED[option.option]
    return ", ".join(option.values) or "fixed"
