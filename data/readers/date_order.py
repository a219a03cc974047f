"""Settle the order of day and month in dates: by a day above 12, and by the order in which time goes forward."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from .. import columns as c
from ..arrays import Floats
from ..settings import SourceSettings
from .csv_reader import day_edges
from .csv_values import DATES, clean_text, parse_datetimes, swapped_order
from .layout import csv_layout

SAME_SHARE: Final = 0.999
"""Least share of the values that an order must read, so that some damaged values do not decide. Chosen, not
measured."""

CONTINUES_SECOND: Final = 7200.0
"""s: a record that goes on over midnight has its next row within so many. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class DateOrders:
    """Which date formats can be right for some dates.

    Args:
        possible: formats that read nearly all values, the more usual order first; empty = none does.
        forward: the format in which time goes forward, and over midnight without a jump; "" = they do not differ.
    """

    possible: tuple[str, ...]
    forward: str = ""

    @property
    def settled(self) -> str:
        """The format that is certain: the only possible one, or the one in which time goes forward; "" = open."""
        if len(self.possible) == 1:
            return self.possible[0]
        return self.forward


def possible_orders(texts: Sequence[str], date: str) -> tuple[str, ...]:
    """Return which of a date format and its twin, with day and month swapped, read nearly all texts.

    Args:
        texts: dates with times, of one file or of several; texts that mean a missing value do not count.
        date: one of :data:`kilocell.data.readers.csv_values.DATES`, or a complete ``strptime`` format.
    """
    return _possible(_distinct_texts([texts]), date)


def find_date_order(files: Iterable[Sequence[str]], date: str) -> DateOrders:
    """Settle the order of day and month by all files of a source together.

    Args:
        files: the dates of each file, in the order of its rows; the files in the order in which they follow each other
            (if that is unknown, any order: then only falls within files count).
        date: the format that the first rows suggest, as :func:`kilocell.data.readers.csv_values.find_date_format`.

    Returns:
        The possible orders, and the one in which time goes forward within each file, and goes on over midnight.
    """
    columns = [list(texts) for texts in files]
    possible = _possible(_distinct_texts(columns), date)
    if len(possible) < 2:
        return DateOrders(possible)
    steps = [np.concatenate([_steps(texts, order) for texts in columns]) for order in possible]
    falls = [int((step < 0.0).sum()) for step in steps]
    jumps = [int((step > CONTINUES_SECOND).sum()) for step in steps]
    forward = _fewer(possible, falls) or _fewer(possible, jumps)
    return DateOrders(possible, forward)


def file_date_orders(path: Path, settings: SourceSettings) -> DateOrders | None:
    """Settle the order of day and month by all rows of one file.

    Args:
        path: a text file.
        settings: how it is read; the unit of its wall clock is a date format.

    Returns:
        ``None`` if the file has no wall clock of dates whose day and month could be swapped.

    Raises:
        ReadError: the file cannot be read.
    """
    if settings.reader != "csv":
        return None
    layout = csv_layout(path, settings)
    clock = next((column for column in layout.columns if column.kind == "datetime"), None)
    if clock is None or not swapped_order(clock.date):
        return None
    return find_date_order([day_edges(path, layout, clock)], clock.date)


def settle_dates(path: Path, settings: SourceSettings) -> SourceSettings:
    """Return the settings of one file with the date format that all its rows show; unchanged if they show none.

    Args:
        path: a text file.
        settings: how it is read, with all columns.

    Raises:
        ReadError: the file cannot be read.
    """
    orders = file_date_orders(path, settings)
    if orders is None or not orders.settled:
        return settings
    columns = tuple(
        replace(mapping, unit=orders.settled) if mapping.target == c.UNIX_TIME else mapping
        for mapping in settings.columns
    )
    return replace(settings, columns=columns)


def _possible(texts: Sequence[str], date: str) -> tuple[str, ...]:
    array = clean_text(pa.array(list(texts), pa.string()))
    given = len(array) - array.null_count
    twin = swapped_order(date)
    orders = sorted({date, twin} - {""}, key=_usual_place) if twin else [date]
    return tuple(
        order
        for order in orders
        if given and int(np.isfinite(parse_datetimes(array, order)).sum()) >= SAME_SHARE * given
    )


def _usual_place(date: str) -> int:
    known = [place for place, form in enumerate(DATES) if date.startswith(form)]
    return min(known, default=len(DATES))


def _distinct_texts(columns: Iterable[Sequence[str]]) -> list[str]:
    """Return the distinct days, each with one of its times: all that decides which orders can be read."""
    by_day: dict[str, str] = {}
    for texts in columns:
        for text in texts:
            by_day.setdefault(text.strip().split(" ")[0], text)
    return list(by_day.values())


def _steps(texts: Sequence[str], date: str) -> Floats:
    """Return by how much the dates grow from one to the next, s."""
    stamps = parse_datetimes(clean_text(pa.array(texts, pa.string())), date)
    return np.diff(stamps[np.isfinite(stamps)])


def _fewer(possible: Sequence[str], counts: Sequence[int]) -> str:
    first, second = counts
    if first == second:
        return ""
    return possible[0] if first < second else possible[1]
