"""Refuse fits whose selections and weights leave nothing to fit, as far as the campaign file alone says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...data.columns import STEP_TYPES
from ...data.cycle_selection import CycleSelection
from ...data.step_selection import SelectedPart, Selection, StepSelection, parse_select

WHOLE: Final = SelectedPart()
"""The whole record."""


@dataclass(frozen=True, slots=True)
class FittedParts:
    """What a fit is fitted to.

    Args:
        selection: parts of the record; ``None`` = whole cycles, or all of it.
        cycles: numbers of whole cycles.
        step_types: those that count in the objective; empty = all.
    """

    selection: Selection | None
    cycles: tuple[int, ...] = ()
    step_types: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[SelectedPart, ...]:
        """The parts; of whole cycles, one for each cycle."""
        if self.selection is not None:
            return parts_of(self.selection)
        return tuple(_one_cycle(cycle) for cycle in self.cycles) or (WHOLE,)


def parts_of(selection: Selection) -> tuple[SelectedPart, ...]:
    """Return the parts of a selection, of numbered cycles one for each cycle."""
    if isinstance(selection, StepSelection):
        return selection.parts
    numbers = _numbers(selection)
    if numbers is None:
        return (SelectedPart(selection),)
    return tuple(_one_cycle(number) for number in numbers)


def describe_nothing_fitted(fitted: FittedParts, without_weight: Sequence[str]) -> str:
    """Say why no sample of a fit counts; "" = one may.

    Args:
        fitted: what the fit is fitted to.
        without_weight: the selections whose weight is 0.
    """
    wanted = set(fitted.step_types or STEP_TYPES)
    named = set().union(*(_types(part) for part in fitted.parts))
    if not named & wanted:
        return (
            f"objective.step_types = {', '.join(fitted.step_types)} leaves nothing of the selected steps, which are "
            f"{', '.join(sorted(named))}; remove step_types, or select other steps"
        )
    weightless: list[SelectedPart] = []
    for text in without_weight:
        selection = parse_select(text)
        weightless += parts_of(selection)
        if isinstance(selection, CycleSelection):
            weightless.append(SelectedPart(selection))
    # A part that names nothing but step types covers these in all of the record.
    types = set().union(*(_types(part) for part in weightless if part == SelectedPart(kinds=part.kinds) and _all(part)))
    counts = [
        part
        for part in fitted.parts
        if not any(_contains(other, part) for other in weightless) and (_types(part) & wanted) - types
    ]
    if counts:
        return ""
    names = " and ".join(repr(text) for text in without_weight)
    return f"objective.weights leave nothing to fit: {names} have weight 0; give a part of the fit a weight above 0"


def _contains(other: SelectedPart, part: SelectedPart) -> bool:
    """Tell whether a part is certainly inside another one."""
    return other in (WHOLE, part, SelectedPart(part.cycles) if not part.cycles.whole else WHOLE)


def _types(part: SelectedPart) -> set[str]:
    return {kind.step_type for kind in part.kinds} or set(STEP_TYPES)


def _all(part: SelectedPart) -> bool:
    """Tell whether all steps of the types count, not only some of them."""
    return all(kind.numbers.whole for kind in part.kinds)


def _one_cycle(number: int) -> SelectedPart:
    return SelectedPart(CycleSelection(((number, number),)))


def _numbers(selection: CycleSelection) -> list[int] | None:
    """Return the numbers of the cycles; ``None`` = the record says which they are."""
    if selection.whole or selection.every or selection.last or any(last == 0 for _, last in selection.ranges):
        return None
    return [number for first, last in selection.ranges for number in range(first, last + 1)]
