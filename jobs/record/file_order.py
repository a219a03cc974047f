"""Find the order in which the files of one cell join, from everything that they and their names say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise, permutations
from typing import Final

import numpy as np

from ...data.convert import SECONDS_PER_HOUR
from ...data.errors import JobError
from ...data.file_names import dates_in_names, natural_key, part_numbers
from .file_ends import WORDS, FileEnds, Span, is_discontinuous, voltage_jump

SEPARATE_CELLS_ADVICE: Final = (
    "if they are two cells, give them two names (cell_id = 'pattern:...' with a group cell_id in [[sources]]); "
    "if one is a copy, leave it out"
)
CLOCK_BACK_SECOND: Final = 3700.0
"""s: files may overlap by this much where a computer's clock goes back by an hour at the end of summer time. Chosen."""

CLOCK_BACK_MONTHS: Final = (3, 4, 10, 11)
LAST_UNIX_SECOND: Final = 4e9
"""s since 1970: later stamps are not of this kind of clock (the year 2096)."""

SUNDAY: Final = 6
CLOCK_BACK_HOUR: Final = 6
"""Summer time ends in one of these months, on a Sunday before this hour of the day."""

MOST_PERMUTED: Final = 7
"""Files up to which all orders are compared by the voltage at the joins (5040 orders). Chosen, not measured."""

GOOD_JOIN_VOLT: Final = 0.05
"""V: the voltage continues at a join if it differs by less. Chosen, not measured."""

BY_NAMES: Final = "only the names of the files"


@dataclass(frozen=True, slots=True)
class FileOrder:
    """The order of one cell's files.

    Args:
        order: places of the files, in time order.
        evidence: what shows the order, in words.
        doubts: evidence against it, in words; empty = none.
        is_guess: whether the names alone show it.
    """

    order: tuple[int, ...]
    evidence: str
    doubts: tuple[str, ...] = ()
    is_guess: bool = False


Finder = Callable[[Sequence[FileEnds]], FileOrder | None]


def find_order(files: Sequence[FileEnds]) -> FileOrder:
    """Find the order of one cell's files.

    The wall clock decides; then test times, cycle numbers, step numbers and charge counters that go on from file to
    file; then dates in the names. Otherwise the natural order of the names is taken, unless the voltage at the joins
    shows another order clearly. What contradicts the order becomes a doubt.

    Args:
        files: at least one.

    Raises:
        JobError: two files hold the same hours, or only some have a wall clock and nothing else shows the order
            (``sources_overlap``).
    """
    if len(files) == 1:
        return FileOrder((0,), "one file")
    found = _order_by_evidence(files)
    if found is None:
        _refuse_unordered(files)
        found = _order_by_names(files)
    return replace(found, doubts=(*found.doubts, *_doubts(files, found)))


def _order_by_evidence(files: Sequence[FileEnds]) -> FileOrder | None:
    finders: tuple[Finder, ...] = (
        _order_by_wall,
        _order_by_test_time,
        _order_by_names_and_test_time,
        lambda ends: _order_by_numbers(ends, "cycle"),
        lambda ends: _order_by_numbers(ends, "step"),
        lambda ends: _order_by_numbers(ends, "counted"),
        _order_by_names_and_numbers,
        _order_by_dates,
    )
    for finder in finders:
        found = finder(files)
        if found is not None:
            return found
    return None


def _order_by_wall(files: Sequence[FileEnds]) -> FileOrder | None:
    """Order files by the wall clock, if all have one that advances."""
    if not all(file.wall.known for file in files):
        return None
    stands_still = any(file.wall.last <= file.wall.first and file.rows > 1 for file in files)
    order = _sorted_by(files, lambda file: (file.wall.first, file.wall.last))
    if stands_still and len({file.wall.first for file in files}) < len(files):
        return None  # the date of an export, for example
    doubts = []
    for i, j in pairwise(order):
        doubt = _overlap_doubt(files[i], files[j])
        if doubt:
            doubts.append(doubt)
    return FileOrder(order, "the wall clock", tuple(doubts))


def _overlap_doubt(earlier: FileEnds, later: FileEnds) -> str:
    """Return what is doubtful about two files whose wall clocks overlap a little; ``""`` if they do not overlap.

    Raises:
        JobError: they overlap by more than a clock that goes back explains.
    """
    overlap = earlier.wall.last - later.wall.first
    if overlap <= 0.0:
        return ""
    is_inside = later.wall.last <= earlier.wall.last
    shortest = min(_length(earlier.wall), _length(later.wall))
    back = overlap <= CLOCK_BACK_SECOND and overlap <= 0.5 * shortest and _may_go_back(earlier.wall.last)
    if is_inside or not back:
        raise _overlap_error(earlier, later, min(earlier.wall.last, later.wall.last) - later.wall.first)
    return f"the wall clocks of {earlier.name} and {later.name} overlap by {overlap:.0f} s"


def _may_go_back(unix_second: float) -> bool:
    """Tell whether summer time may end at this time: a Sunday night of autumn, on either half of the world."""
    if not 0.0 < unix_second < LAST_UNIX_SECOND:
        return False
    time = datetime.fromtimestamp(unix_second, UTC)
    return time.month in CLOCK_BACK_MONTHS and time.weekday() == SUNDAY and time.hour < CLOCK_BACK_HOUR


def _overlap_error(earlier: FileEnds, later: FileEnds, second: float) -> JobError:
    names = " and ".join(sorted((earlier.name, later.name)))
    hours = second / SECONDS_PER_HOUR
    return JobError(
        f"{names} hold the same cell over the same {hours:.2f} h; {SEPARATE_CELLS_ADVICE}", "sources_overlap"
    )


def _length(span: Span) -> float:
    return span.last - span.first


def _order_by_test_time(files: Sequence[FileEnds]) -> FileOrder | None:
    """Order files by a test time that goes on from file to file; several files may begin anew only one by one."""
    if not all(file.test.known for file in files):
        return None
    if sum(file.begins_at_zero for file in files) > 1:
        return None
    order = _sorted_by(files, lambda file: (file.test.first, file.test.last))
    for i, j in pairwise(order):
        overlap = min(files[i].test.last, files[j].test.last) - files[j].test.first
        if overlap > 0.0:
            raise _overlap_error(files[i], files[j], overlap)
    return FileOrder(order, "the test time, which goes on from file to file")


def _order_by_names_and_test_time(files: Sequence[FileEnds]) -> FileOrder | None:
    """Order files of several runs: the names order them, and each file continues the test time or begins anew."""
    if not all(file.test.known for file in files) or all(file.begins_at_zero for file in files):
        return None
    dated = dates_in_names([file.name for file in files])
    orders = [_sorted_by(range(len(files)), dates.dates.__getitem__) for dates in dated]
    for order in (*orders, _natural_order(files)):
        joins = pairwise([files[i] for i in order])
        if all(later.begins_at_zero or later.test.first >= earlier.test.last for earlier, later in joins):
            return FileOrder(order, "the names of the files, with test times that go on or begin anew")
    return None


def _order_by_numbers(files: Sequence[FileEnds], column: str) -> FileOrder | None:
    """Order files by numbers that go on: each file begins at or after the number at which another one ended.

    Args:
        column: ``cycle``, ``step`` or ``counted``.
    """
    spans: list[Span] = [getattr(file, column) for file in files]
    if not all(span.known for span in spans) or len({span.first for span in spans}) < len(spans):
        return None
    order = _sorted_by(range(len(spans)), lambda i: (spans[i].first, spans[i].last))
    for i, j in pairwise(order):
        slack = 1e-6 * abs(spans[i].last)
        if spans[i].last < spans[i].first or spans[j].first < spans[i].last - slack:
            return None
    return FileOrder(order, f"the {WORDS[column]}, which go on from file to file")


def _order_by_names_and_numbers(files: Sequence[FileEnds]) -> FileOrder | None:
    """Order files by their names if their numbers go on in this order without a hole, although several begin alike."""
    order = _natural_order(files)
    for column in ("cycle", "step"):
        spans: list[Span] = [getattr(files[i], column) for i in order]
        if not all(span.known for span in spans) or spans[-1].last <= spans[0].first:
            continue
        if all(before.last <= after.first <= before.last + 1.0 for before, after in pairwise(spans)):
            return FileOrder(order, f"the names of the files, with {WORDS[column]} that go on")
    return None


def _order_by_dates(files: Sequence[FileEnds]) -> FileOrder | None:
    """Order files by the dates in their names; where day and month are ambiguous, the voltage at the joins decides."""
    dated = [dates for dates in dates_in_names([f.name for f in files]) if len(set(dates.dates)) == len(files)]
    if not dated:
        return None
    orders = [_sorted_by(range(len(files)), dates.dates.__getitem__) for dates in dated]
    best = min(range(len(orders)), key=lambda k: (round(_total_jump(files, orders[k]), 3), k))
    doubts: tuple[str, ...] = ()
    if len(set(orders)) > 1:
        others = " or ".join(dict.fromkeys(dates.words for dates in dated))
        doubts = (f"the dates in the names can be read as {others}",)
    return FileOrder(orders[best], f"the dates in the names ({dated[best].words})", doubts)


def _order_by_names(files: Sequence[FileEnds]) -> FileOrder:
    """Order files by the natural order of their names, unless the voltage shows another order clearly."""
    natural = _natural_order(files)
    by_voltage = _order_by_voltage(files)
    if by_voltage is None:
        return FileOrder(natural, BY_NAMES, is_guess=True)
    if by_voltage == natural:
        return FileOrder(natural, "the names of the files, and the voltage continues at the joins in no other order")
    names = [file.name for file in files]
    worst = _worst_jump(files, natural)
    breaks = any(is_discontinuous(files[i], files[j]) for i, j in pairwise(natural))
    if part_numbers(names) is None and breaks:
        return FileOrder(by_voltage, "the voltage at the joins", is_guess=True)
    if worst > GOOD_JOIN_VOLT:
        better = ", ".join(names[i] for i in by_voltage)
        return FileOrder(natural, BY_NAMES, (f"the voltage would continue better in the order {better}",), True)
    return FileOrder(natural, BY_NAMES, is_guess=True)


def _order_by_voltage(files: Sequence[FileEnds]) -> tuple[int, ...] | None:
    """Return the one order in which the voltage continues at every join; ``None`` if there is not exactly one."""
    if len(files) > MOST_PERMUTED:
        return None
    good = []
    for order in permutations(range(len(files))):
        if _worst_jump(files, order) <= GOOD_JOIN_VOLT:
            good.append(order)
            if len(good) > 1:
                return None
    return good[0] if good else None


def _refuse_unordered(files: Sequence[FileEnds]) -> None:
    """Refuse files of which the names alone would have to show the order, although their clocks contradict it."""
    names = ", ".join(file.name for file in files)
    with_wall = [file for file in files if file.wall.known]
    if with_wall and len(with_wall) < len(files):
        raise JobError(
            f"only some of {names} have a wall clock, and nothing else shows their order; {SEPARATE_CELLS_ADVICE}",
            "sources_overlap",
        )
    late = [file for file in files if file.test.known and not file.begins_at_zero]
    if late and len(late) < len(files):
        raise JobError(
            f"the test time of {late[0].name} begins at {late[0].test.first:.0f} s, but in no order that fits the "
            f"names {names} does it continue the file before it; {SEPARATE_CELLS_ADVICE}",
            "sources_overlap",
        )


def _doubts(files: Sequence[FileEnds], found: FileOrder) -> list[str]:
    """Return the evidence against an order: wall clocks, numbers and dates in names, and the voltage at the joins."""
    doubts = []
    ordered = [files[i] for i in found.order]
    by_cycle = _order_by_numbers(files, "cycle")
    if by_cycle is not None and by_cycle.order != found.order:
        doubts.append("the cycle numbers go on in another order")
    walls = [file.wall.first for file in ordered if file.wall.known]
    if walls != sorted(walls):
        doubts.append("the wall clock of some files shows another order")
    names = [file.name for file in ordered]
    if not found.is_guess and len(set(names)) == len(names):
        dated = dates_in_names(names)
        if len(dated) == 1 and list(dated[0].dates) != sorted(dated[0].dates):
            doubts.append("the dates in the names show another order")
        numbers = part_numbers(names)
        if numbers is not None and not dated and list(numbers) != sorted(numbers):
            doubts.append(f"the names show the order {', '.join(sorted(names, key=natural_key)[:12])}")
    for earlier, later in pairwise(ordered):
        if is_discontinuous(earlier, later):
            doubts.append(
                f"the voltage jumps from {earlier.volt.last:.3f} V at the end of {earlier.name} to "
                f"{later.volt.first:.3f} V at the beginning of {later.name}, so a file is missing between them or they "
                "are of two cells"
            )
    return doubts


def _worst_jump(files: Sequence[FileEnds], order: Sequence[int]) -> float:
    return max(_jumps(files, order), default=0.0)


def _total_jump(files: Sequence[FileEnds], order: Sequence[int]) -> float:
    return float(np.sum(_jumps(files, order)))


def _jumps(files: Sequence[FileEnds], order: Sequence[int]) -> list[float]:
    jumps = [voltage_jump(files[i], files[j]) for i, j in pairwise(order)]
    return [abs(jump) for jump in jumps if jump is not None]


def _natural_order(files: Sequence[FileEnds]) -> tuple[int, ...]:
    return _sorted_by(files, lambda file: natural_key(file.name))


def _sorted_by(values: Sequence[object], key: Callable[..., object]) -> tuple[int, ...]:
    """Return the places of some values in the order of their keys."""
    return tuple(sorted(range(len(values)), key=lambda i: key(values[i])))  # type: ignore[arg-type, return-value]
