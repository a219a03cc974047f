"""Settle the order of day and month in the dates of several files together, where one file alone does not show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from .. import columns as c
from ..arrays import Floats
from ..errors import ReadError
from ..file_names import dates_in_names
from ..settings import SourceSettings
from .csv_reader import day_edges, make_raw_block
from .csv_values import clean_text, parse_datetimes, swapped_order
from .date_order import find_date_order, possible_orders
from .layout import Layout, csv_layout

SPAN_FACTOR: Final = 2.0
"""A format is ruled out if the files' times last this many times longer than with another. Chosen, not measured."""

SECONDS_PER_DAY: Final = 86_400.0
NEAR_SECOND: Final = 2.0 * SECONDS_PER_DAY
"""s: the date in a file's name is this close to the file's first or last row. Chosen, not measured."""

FileSettings = tuple[Path, SourceSettings]


@dataclass(frozen=True, slots=True)
class _Dates:
    """The dates among the first and last rows of one file.

    Args:
        name: of the file.
        texts: the first and the last of each day.
        sample: those of the first and last rows.
        formats: those that read all dates.
        test_second: length of the sampled rows by the test time in s; NaN = unknown.
    """

    name: str
    texts: pa.Array
    sample: pa.Array
    formats: tuple[str, ...]
    test_second: float = float("nan")


def unify_date_formats(files: Sequence[FileSettings]) -> tuple[SourceSettings, ...]:
    """Return the settings of files with one date format for all files that have the same columns.

    A format counts that reads the dates of all files. If several do, the dates in the files' names decide; then the
    test times, which last as long; then the format in which time goes forward in each file; then the one under which
    the files' times are much closer together. Settings stay as they are where no format fits all files, and where the
    dates are not ambiguous.

    Args:
        files: path and settings of each file. Of text files with ambiguous dates, all dates are read.
    """
    settings = [entry[1] for entry in files]
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, (_, own) in enumerate(files):
        if own.reader == "csv" and _may_be_ambiguous(own):
            groups.setdefault(tuple((m.target, m.column) for m in own.columns), []).append(i)
    for places in groups.values():
        dates = {i: _file_dates(*files[i]) for i in places}
        known = {i: found for i, found in dates.items() if found is not None}
        chosen = _choose_format(list(known.values()))
        if chosen is not None:
            for i in known:
                settings[i] = _with_format(settings[i], chosen)
    return tuple(settings)


def has_ambiguous_dates(path: Path, settings: SourceSettings) -> bool:
    """Tell whether a text file has dates in which another file of the source may have day and month exchanged.

    Args:
        path: the file.
        settings: how it is read.
    """
    return _file_dates(path, settings) is not None


def _may_be_ambiguous(settings: SourceSettings) -> bool:
    """Tell whether settings have a wall clock of dates in which day and month could be exchanged."""
    return any(m.target == c.UNIX_TIME and (m.unit == "" or swapped_order(m.unit) != "") for m in settings.columns)


def _file_dates(path: Path, settings: SourceSettings) -> _Dates | None:
    """Return the dates of a file; ``None`` if it has none, cannot be read, or has dates of one meaning only."""
    try:
        layout = csv_layout(path, settings)
        clock = next((column for column in layout.columns if column.kind == "datetime"), None)
        if clock is None or not swapped_order(clock.date):
            return None
        texts = day_edges(path, layout, clock)
        formats = possible_orders(texts, clock.date)
        test = sample_rows(layout)[c.TEST_TIME].to_numpy(dtype=np.float64)
    except (ReadError, OSError):
        return None
    if not formats:
        return None
    sample = [row[clock.index] if clock.index < len(row) else "" for row in layout.header.sample]
    known = test[np.isfinite(test)]
    runs_on = len(known) > 1 and bool((np.diff(known) >= 0.0).all())
    test_second = float(known[-1] - known[0]) if runs_on else float("nan")
    return _Dates(path.name, _texts(texts), _texts(sample), formats, test_second)


def _texts(values: Sequence[str]) -> pa.Array:
    return clean_text(pa.array(list(values), pa.string()))


def sample_rows(layout: Layout) -> pd.DataFrame:
    """Return the first and last rows of a text file as a raw table.

    Args:
        layout: of the file; its header holds the rows as texts.
    """
    sample = layout.header.sample
    arrays = {
        column.index: pa.array([row[column.index] if column.index < len(row) else None for row in sample], pa.string())
        for column in layout.columns
    }
    lines = np.arange(1, len(sample) + 1)
    return make_raw_block(arrays, lines, {}, replace(layout, cell=None), 0, None).frame


def _choose_format(files: Sequence[_Dates]) -> str | None:
    """Return the format of all files; ``None`` if there is none.

    If several read all dates, the dates in the names of the files decide, then the test times, then how close together
    the files' times are.
    """
    if not files:
        return None
    common = [date for date in files[0].formats if all(date in other.formats for other in files)]
    if len(common) < 2:
        return common[0] if common else None
    times = {date: [parse_datetimes(file.texts, date) for file in files] for date in common}
    near_names = {date: _count_near_names(files, times[date]) for date in common}
    best = max(common, key=lambda date: near_names[date])
    if 2 * near_names[best] >= len(files) and min(near_names.values()) < near_names[best]:
        return best
    off = {date: _off_test_time_second(files, date) for date in common}
    best = min(common, key=lambda date: off[date])
    if max(off.values()) > off[best] + SECONDS_PER_DAY:
        return best
    forward = find_date_order([file.texts.drop_null().to_pylist() for file in files], common[0]).forward
    if forward in common or len(files) == 1:
        return forward or None
    lengths = {date: _total_second(times[date]) for date in common}
    best = min(common, key=lambda date: lengths[date])
    return best if SPAN_FACTOR * lengths[best] <= lengths[common[0]] else common[0]


def _count_near_names(files: Sequence[_Dates], times: Sequence[Floats]) -> int:
    """Return how many files begin or end within two days of the date in their name."""
    counts = [0]
    for dated in dates_in_names([file.name for file in files]):
        named = [date.replace(tzinfo=UTC).timestamp() for date in dated.dates]
        near = [_is_near(time, at) for time, at in zip(times, named, strict=True)]
        counts.append(sum(near))
    return max(counts)


def _is_near(time: Floats, unix_second: float) -> bool:
    """Tell whether dates begin or end within two days of a time."""
    known = time[np.isfinite(time)]
    if not len(known):
        return False
    return bool(min(abs(known.min() - unix_second), abs(known.max() - unix_second)) <= NEAR_SECOND)


def _off_test_time_second(files: Sequence[_Dates], date: str) -> float:
    """Return by how much the dates of the first and last rows differ from the test times, in s, over all files."""
    off = 0.0
    for file in files:
        time = parse_datetimes(file.sample, date)
        known = time[np.isfinite(time)]
        if np.isfinite(file.test_second) and len(known):
            off += abs(float(known[-1] - known[0]) - file.test_second)
    return off


def _total_second(times: Sequence[Floats]) -> float:
    """Return the time from the first to the last date of all files in s; infinite if the dates of a file fall back."""
    known = [time[np.isfinite(time)] for time in times]
    if any((np.diff(time) < 0.0).any() for time in known):
        return np.inf
    together = np.concatenate(known)
    return float(together.max() - together.min()) if len(together) else 0.0


def _with_format(settings: SourceSettings, date: str) -> SourceSettings:
    columns = tuple(
        replace(mapping, unit=date) if mapping.target == c.UNIX_TIME else mapping for mapping in settings.columns
    )
    return replace(settings, columns=columns)
