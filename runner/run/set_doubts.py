"""Compare what the campaign says of a cell with its cleaned record: capacity, and voltage window and kind of its sets.

Nothing is stopped: each contradiction becomes a line of text with both numbers, on the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from ...data import columns as c
from ...data.errors import KilocellError
from ...data.settings import CellSettings, ParameterSetSettings
from ...data.text import printable_text
from ...jobs.cleaning.guess_cell import CellGuess, guess_cell
from ...parquet_store.layout import Store
from ...parquet_store.read import read_partition
from ..campaign.cell_plan import CellPlan
from ..campaign.known_checks import recall
from ..plan.job import Job
from ..worker.run_job import JobOutcome

OUTSIDE_VOLT: Final = 0.1
"""V: voltages of a record may leave a set's window by this much. Chosen, not measured."""

UNREACHED_VOLT: Final = 0.3
"""V: a record with most of the cell's capacity comes this close to the set's upper cut-off. Chosen, not measured."""

MOST_CAPACITY: Final = 1.15
"""Largest charge in one direction, as a multiple of the capacity. Chosen, not measured."""

LEAST_CAPACITY: Final = 0.5
"""The same, its least share in a record that spans most of the set's voltage window. Chosen, not measured."""

MOST_OF_WINDOW: Final = 0.8
"""Share of a set's voltage window that a record with the whole capacity spans. Chosen, not measured."""

MOST_SCALE: Final = 10.0
"""Largest ratio of the capacity of the cell and that of the set, either way. Chosen, not measured."""

AT_ONCE: Final = 100
"""Cells whose records are read before the first job runs, about 2 ms each. Chosen, not measured."""

_COLUMNS: Final = (c.TEST_TIME, c.CURRENT, c.VOLTAGE, c.FLAGS)


class SetDoubts:
    """Checks the cells of a run, those that are cleaned already at once, the others when they are.

    Args:
        store: with the cleaned records.
        cells: the campaign's settings.
        jobs: that the run needs; only cells with a simulation or fit among them are checked.
        say: prints a line.
    """

    def __init__(
        self, store: Store, cells: Sequence[CellPlan], jobs: Sequence[Job], say: Callable[[str], object]
    ) -> None:
        used = {job.cell_id for job in jobs if job.kind not in ("split", "clean")}
        self._store = store
        self._cells = {cell.cell_id: cell for cell in cells if cell.cell_id in used}
        self._cleaned: set[str] = set()  # cells that were cleaned before, and are not checked yet
        self._say = say

    def check_cleaned(self, jobs: Iterable[Job]) -> None:
        """Check cells that are not cleaned in this run; of many, those after the first when a job of them has ended.

        Args:
            jobs: that run.
        """
        uncleaned = {job.cell_id for job in jobs if job.kind == "clean"}
        self._cleaned = set(self._cells.keys() - uncleaned)
        for cell_id in sorted(self._cleaned)[:AT_ONCE]:
            self._check_cleaned(cell_id)

    def add(self, outcomes: Iterable[JobOutcome]) -> None:
        """Check the cells that were cleaned.

        Args:
            outcomes: of jobs that ended.
        """
        for outcome in outcomes:
            stage, cell_id, _ = outcome.key
            if stage == "clean" and outcome.status == "done" and cell_id in self._cells:
                self._check(cell_id)
            elif cell_id in self._cleaned:
                self._check_cleaned(cell_id)

    def _check_cleaned(self, cell_id: str) -> None:
        self._cleaned.discard(cell_id)
        self._check(cell_id)

    def _check(self, cell_id: str) -> None:
        plan = self._cells[cell_id]
        try:
            seen = guess_cell(read_partition(self._store, cell_id, _COLUMNS))
        except (KilocellError, OSError):
            return  # the simulation reports it
        if seen is None:
            return
        for line in find_doubts(plan.cell, plan.parameter_sets, seen):
            self._say(f"check      {printable_text(cell_id)}: {line}")


def find_doubts(cell: CellSettings, sets: Sequence[ParameterSetSettings], seen: CellGuess) -> Iterator[str]:
    """Yield what contradicts the record in the campaign's settings of a cell.

    Args:
        cell: its nominal capacity in A.h; ``None`` = that of the set, or measured.
        sets: the sets that it is simulated with, and their variations.
        seen: voltages (V) and largest charge in one direction (A.h) of the cleaned record.
    """
    for base in dict.fromkeys(ParameterSetSettings(s.base, s.base, (), s.file_digest) for s in sets):
        summary = _summarise(base)
        if summary is None:
            continue
        mark = " (a guess of kilocell init)" if cell.parameter_set_source == "guess" else ""
        yield from _doubt_window(f"parameter set {base.name}{mark}", summary, seen)
        if cell.nominal_capacity_ah is None and cell.measured_capacity is None and summary.capacity_ah is not None:
            yield from _doubt_capacity(summary.capacity_ah, f"that of {base.name}", summary, seen)
        elif cell.nominal_capacity_ah is not None and summary.capacity_ah is not None:
            yield from _doubt_scale(cell.nominal_capacity_ah, base.name, summary.capacity_ah)
    if cell.nominal_capacity_ah is not None:
        word = "a guess of kilocell init" if cell.capacity_source == "guess" else "nominal_capacity_ah"
        summary = _summarise(sets[0]) if sets else None
        yield from _doubt_capacity(cell.nominal_capacity_ah, word, summary, seen)


@dataclass(frozen=True, slots=True)
class _SetLimits:
    """What a set describes: its kind of cell, nominal capacity (A.h), and cut-offs (V); ``None`` = not given."""

    kind: str
    capacity_ah: float | None
    lower_volt: float | None
    upper_volt: float | None


@cache
def _summarise(settings: ParameterSetSettings) -> _SetLimits | None:
    """Return what a set describes; ``None`` if it cannot be loaded, which the jobs report."""
    plain = ParameterSetSettings(settings.base, settings.base, (), settings.file_digest)
    try:
        return _SetLimits(*recall(partial(_find_limits, plain), "limits of a set", sets=(plain,)))
    except KilocellError:
        return None


def _find_limits(settings: ParameterSetSettings) -> list[str | float | None]:
    from ...jobs.parameters.table import summarise_set

    found = summarise_set(settings)
    return [found.kind, found.capacity_ah, found.lower_volt, found.upper_volt]


def _doubt_window(name: str, summary: _SetLimits, seen: CellGuess) -> Iterator[str]:
    lower, upper = summary.lower_volt, summary.upper_volt
    if lower is None or upper is None:
        return
    record = f"the record has {seen.voltage_min_volt:.2f} to {seen.voltage_max_volt:.2f} V"
    window = f"is made for {lower:g} to {upper:g} V ({summary.kind})"
    if seen.voltage_max_volt > upper + OUTSIDE_VOLT or seen.voltage_min_volt < lower - OUTSIDE_VOLT:
        yield f"{name} {window}, and {record}; name a set that fits the cell"
    elif seen.voltage_max_volt < upper - UNREACHED_VOLT and seen.half_cycles > 1:
        yield f"{name} {window}, but {record}: the cell may have another chemistry; name a set that fits it"


def _doubt_capacity(capacity_ah: float, word: str, summary: _SetLimits | None, seen: CellGuess) -> Iterator[str]:
    numbers = (
        f"the largest charge or discharge in the record is {seen.seen_ah:g} A.h, the capacity is "
        f"{capacity_ah:g} A.h ({word})"
    )
    if seen.seen_ah > MOST_CAPACITY * capacity_ah:
        yield f"{numbers}; check nominal_capacity_ah and the current's unit"
    elif seen.seen_ah < LEAST_CAPACITY * capacity_ah and summary is not None and _spans_window(summary, seen):
        yield f"{numbers}, although the voltages span the set's window; check nominal_capacity_ah"


def _spans_window(summary: _SetLimits, seen: CellGuess) -> bool:
    if summary.lower_volt is None or summary.upper_volt is None:
        return False
    window = summary.upper_volt - summary.lower_volt
    return seen.voltage_max_volt - seen.voltage_min_volt >= MOST_OF_WINDOW * window


def _doubt_scale(capacity_ah: float, name: str, of_set_ah: float) -> Iterator[str]:
    if not 1 / MOST_SCALE <= capacity_ah / of_set_ah <= MOST_SCALE:
        yield (
            f"the cell has {capacity_ah:g} A.h, {name} describes a cell of {of_set_ah:g} A.h; its electrodes are "
            "scaled, but thicknesses and particles are those of the other cell"
        )
