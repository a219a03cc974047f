"""Colour, dashes and marker of every model and of every parameter set: the same in each figure, page and slide.

A model has a colour and dashes, a parameter set has a marker and, where a figure compares sets, a colour and dashes of
its own. So a line for a model with a set has the model's colour and dashes with the set's marker, and lines differ
without colour, too. Colours are those of Okabe and Ito without yellow (models) and Tol's muted ones (sets).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..data.settings import MODEL_TYPES
from ..sqlite import questions

BLACK: Final = "#1a1a1a"
MEASURED_COLOUR: Final = BLACK
MODEL_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SET_COLOURS: Final = ("#332288", "#cc6677", "#999933", "#882255", "#44aa99", "#117733", "#aa4499")
"""The third set is not green: it is dotted, as the DFN is."""

PART_COLOURS: Final = {"numerical": "#bbbbbb", "compression": "#99ddff", "charge": "#eedd88", "state": "#ee8866"}
"""Colours of the parts of an error budget: Tol's light ones, which no model and no set has."""

DASHES: Final[tuple[tuple[float, ...], ...]] = ((), (5, 1.5), (1, 1.2), (6, 1.5, 1, 1.5), (3, 1, 1, 1, 1, 1))
"""Lengths of dash, gap, dash, … in line widths; empty = a solid line."""

MARKERS: Final = ("", "o", "s", "^", "D", "v", "P", "X")
"""Matplotlib's markers; the first set has none."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a line looks.

    Args:
        colour: as ``#rrggbb``.
        dashes: lengths of dash, gap, dash, … in line widths; empty = a solid line.
        marker: Matplotlib's marker; "" = none.
    """

    colour: str
    dashes: tuple[float, ...] = ()
    marker: str = ""


@dataclass(frozen=True, slots=True)
class Styles:
    """The styles of a store's models and parameter sets; :func:`read_styles` makes them.

    Args:
        model_numbers: number of each model, from 0.
        set_numbers: number of each parameter set, from 0. Sets that simulate the same cell have different numbers.
    """

    model_numbers: Mapping[str, int]
    set_numbers: Mapping[str, int]

    def model(self, name: str) -> Style:
        """Return the style of a model; the first 30 differ."""
        number = self.model_numbers.get(name, len(self.model_numbers))
        return Style(MODEL_COLOURS[number % len(MODEL_COLOURS)], DASHES[number % len(DASHES)])

    def parameter_set(self, name: str) -> Style:
        """Return the style of a parameter set in a figure that compares sets; the first 35 differ."""
        number = self.set_numbers.get(name, len(self.set_numbers))
        return Style(SET_COLOURS[number % len(SET_COLOURS)], DASHES[number % len(DASHES)], self._marker(name))

    def simulation(self, model: str, parameter_set: str) -> Style:
        """Return the style of a model with a parameter set: the model's colour and dashes with the set's marker."""
        style = self.model(model)
        return Style(style.colour, style.dashes, self._marker(parameter_set))

    def curves(self, names: Sequence[tuple[str, str]]) -> tuple[Style, ...]:
        """Return the styles of the simulations of one figure or panel.

        If all have one model and sets of the same cells, the sets are what is compared: each has the style of its set.
        Else, and also if each cell has another set, each has the style of its model with the marker of its set.

        Args:
            names: model and parameter set of each simulation.
        """
        models = {model for model, _ in names}
        numbers = {self.set_numbers.get(parameter_set, len(self.set_numbers)) for _, parameter_set in names}
        if len(models) == 1 and len(numbers) > 1:
            return tuple(self.parameter_set(parameter_set) for _, parameter_set in names)
        return tuple(self.simulation(model, parameter_set) for model, parameter_set in names)

    def _marker(self, parameter_set: str) -> str:
        number = self.set_numbers.get(parameter_set, 0)
        return MARKERS[number % len(MARKERS)]


def read_styles(catalog: sqlite3.Connection) -> Styles:
    """Return the styles of a store's models and parameter sets, the same for every figure of the store.

    Args:
        catalog: from ``queries.connect``.
    """
    models, parameter_sets, together = questions.simulated_names(catalog)
    return make_styles(models, parameter_sets, together)


def make_styles(
    models: Sequence[str], parameter_sets: Sequence[str], together: Iterable[tuple[str, str]] = ()
) -> Styles:
    """Number models and parameter sets.

    PyBaMM's models have the same number in every store; models of other names follow in their order. A set takes the
    smallest number that no set has with which it simulates the same cell: a store with one set for each cell has
    number 0 for all, and needs no markers.

    Args:
        models, parameter_sets: names in the store's order.
        together: pairs of sets that simulate the same cell.
    """
    known = {name: number for number, name in enumerate(MODEL_TYPES)}
    others = [name for name in models if name not in known]
    model_numbers = {**known, **{name: len(known) + number for number, name in enumerate(others)}}
    neighbours: dict[str, set[str]] = {name: set() for name in parameter_sets}
    for one, other in together:
        neighbours[one].add(other)
        neighbours[other].add(one)
    set_numbers: dict[str, int] = {}
    for name in parameter_sets:
        taken = {set_numbers[other] for other in neighbours[name] if other in set_numbers}
        set_numbers[name] = next(number for number in range(len(taken) + 1) if number not in taken)
    return Styles(model_numbers, set_numbers)
