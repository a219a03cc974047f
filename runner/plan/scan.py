"""Scan the campaign's raw files: their digests and the cells they hold; unchanged files are not read again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final

from ...data.errors import CampaignError, ReadError, UsageError
from ...data.names import quote
from ...data.readers import read as readers
from ...data.readers.csv_reader import RANGE_BYTES
from ...data.readers.file_kinds import unreadable_error
from ...data.readers.text_blocks import GZIP_SUFFIXES
from ...data.settings import SourceFile, SourceSettings
from ...parquet_store.layout import Store
from ...parquet_store.read import read_ranges
from ...parquet_store.write import write_ranges
from ...sqlite import queries
from ...sqlite.catalog import Catalog
from ..campaign.raw_files import find_problem, is_utf8, printable
from .job import ScannedSource, split_digest

MANY_CELLS: Final = 50
"""Cells of one file from which on it is checked whether their ids count rows. Chosen, not measured."""

LEAST_ROWS_PER_CELL: Final = 4.0
"""Rows that the cells of a file have at least, on average; no record is shorter. Chosen, not measured."""

HEAD_BYTES: Final = 64 * 1024
"""Bytes at the beginning of a file that show how long its lines are. Chosen, not measured."""

LONG_BYTES: Final = 16 * 1024 * 1024
"""Size of a file from which on its digest and its cells are found side by side; a thread for each short file would cost
more than it saves. Chosen, not measured."""

SIDE_BY_SIDE: Final = 4
"""Files that are read at once. Chosen, not measured: on two cores a third thread waits for a disk, not for a core."""

REPORT_SECOND: Final = 0.5
"""s between two reports of how many files are scanned. Chosen, not measured."""

Report = Callable[[int], None]
"""Is told how many files are scanned."""

Cache = dict[tuple[str, int, int], tuple[str, tuple[str, ...]]]
"""Path, size in bytes and modification time (ns) of a file → its digest and cells."""


def ignore_count(files: int) -> None:
    """Report nothing."""


class _RowCounterError(ReadError):
    """A column that should hold cell ids counts rows. The file can be read, but its job must not split it."""


def scan_sources(
    sources: Sequence[tuple[Path, SourceSettings]],
    catalog: Path,
    *,
    may_be_none: bool = False,
    verify: bool = False,
    report: Report = ignore_count,
) -> tuple[ScannedSource, ...]:
    """Find digest and cells of each raw file; files that the catalog knows, by size and time, are not read again.

    Several files are read side by side: then one waits for its disk or file server while another is read.

    A file that cannot be read has no cells in the result: its split job fails with the reason, and the others go on.

    Args:
        sources: path and reader settings of each raw file.
        catalog: path of the store's catalog; may not exist yet.
        may_be_none: whether it is no error if no file can be read.
        verify: read also the files that the catalog knows.
        report: is told how many files are scanned, at most every ``REPORT_SECOND``.

    Returns:
        One entry for each file, in the given order.

    Raises:
        UsageError: no file can be read at all.
    """
    store = Store(catalog.parent)
    caches: dict[SourceSettings, Cache] = {}
    for _, settings in sources:
        if settings not in caches:
            caches[settings] = {} if verify else _read_cache(catalog, settings)
    scanned = []
    failures = []
    reported = time.monotonic()
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        found = [threads.submit(_scan_or_fail, path, settings, caches[settings], store) for path, settings in sources]
        try:
            for done, one in enumerate(found, 1):
                source, failure = one.result()
                scanned.append(source)
                if failure:
                    failures.append(failure)
                if time.monotonic() - reported >= REPORT_SECOND:
                    report(done)
                    reported = time.monotonic()
        finally:
            threads.shutdown(cancel_futures=True)  # after Ctrl-C, no further file is read
    if not may_be_none and not any(source.cell_ids for source in scanned):
        raise UsageError("none of the raw files can be read:\n  " + "\n  ".join(failures))
    return tuple(scanned)


def _scan_or_fail(path: Path, settings: SourceSettings, cache: Cache, store: Store) -> tuple[ScannedSource, str]:
    """Return the entry of a raw file, and why it cannot be read; "" = it can."""
    problem = find_problem(path)
    if problem:
        return _unopened(path, settings, problem), problem
    try:
        return _scan(path, settings, cache, store), ""
    except _RowCounterError as error:
        return _unopened(path, settings, str(error)), str(error)
    except ReadError as error:
        return _without_cells(path, settings, error), str(error)
    except OSError as error:
        problem = str(unreadable_error(path, error))
        return _unopened(path, settings, problem), problem


def check_current_signs(campaign_path: Path, sources: Sequence[ScannedSource]) -> None:
    """Check that all files of a cell have the same ``current_sign``.

    Args:
        campaign_path: the campaign file, for the error's text.

    Raises:
        CampaignError: names the first cell whose files differ.
    """
    signs: dict[str, set[str]] = {}
    for source in sources:
        for cell_id in source.cell_ids:
            signs.setdefault(cell_id, set()).add(source.file.settings.current_sign)
    for cell_id, cell_signs in signs.items():
        if len(cell_signs) > 1:
            raise CampaignError(
                f"{campaign_path}: the files of cell {cell_id!r} have different current_sign: "
                f"{' and '.join(sorted(cell_signs))}; set the same current_sign for all of them in [[sources]], "
                "or give the cells different names"
            )


def record_sources(catalog: Catalog, scanned: Sequence[ScannedSource]) -> None:
    """Write the scanned files into the catalog, and the parts of long files into the store, for the next scan.

    Args:
        catalog: open for writing.
    """
    store = Store(catalog.path.parent)
    with catalog.transaction():
        for source in scanned:
            if source.problem or source.is_gone:
                continue  # what the catalog knows of it from an earlier run stays
            rows: Counter[str] = Counter()
            for part in source.parts:
                rows.update(dict(part.cells))
            catalog.put_source(source.file, rows or source.cell_ids, source.mtime_ns)
            if _has_parts(source.file, source.cell_ids):
                write_ranges(store, split_digest(source.file), source.parts)


def find_unread_files(sources: Sequence[ScannedSource], cell_id: str) -> tuple[str, ...]:
    """Return the paths of the files that cannot be read and may hold a cell that no other file has.

    It reads the first lines of files that were read without a list of columns, to see whether they can be read.

    Args:
        sources: all raw files of the campaign.
        cell_id: the cell.

    Returns:
        The files that have the cell according to their name; else those whose cells only their content could tell.
    """
    by_name = tuple(source.file.path for source in sources if cell_id in source.cells_by_name)
    if by_name:
        return by_name
    return tuple(source.file.path for source in sources if not source.cells_by_name and _is_unread(source))


def find_gone_files(catalog: Path, cell_ids: Sequence[str]) -> dict[str, str]:
    """Return the path of the file that had each cell in an earlier run and does not exist any more.

    Args:
        catalog: path of the store's catalog; may not exist yet.
        cell_ids: cells that no file of the campaign has.

    Returns:
        Path by cell id, only for cells with such a file.
    """
    if not cell_ids or not catalog.is_file():
        return {}
    with closing(queries.connect(catalog)) as reader:
        known = queries.source_cache(reader)
    wanted = set(cell_ids)
    return {
        cell_id: path
        for (path, _, _), (_, cells) in known.items()
        for cell_id in wanted.intersection(cells)
        if not Path(path).exists()
    }


def describe_unread(paths: Sequence[str]) -> str:
    """Say which files that cannot be read may hold a cell.

    Args:
        paths: the files, at least one.
    """
    others = f", or in one of {len(paths) - 1} more of this kind" if len(paths) > 1 else ""
    return f"it may be in {paths[0]}, which cannot be read{others}"


def _is_unread(source: ScannedSource) -> bool:
    """Whether the cells of a file are not known: it has none, or nothing could be guessed from its first lines."""
    if not source.cell_ids:
        return True
    return _may_be_failed_guess(source.file.settings) and not _can_be_guessed(source.file)


@cache  # asked for every cell that no readable file has
def _can_be_guessed(file: SourceFile) -> bool:
    try:
        readers.guess_settings(Path(file.path))
    except (ReadError, OSError):
        return False
    return True


def _may_be_failed_guess(settings: SourceSettings) -> bool:
    """Whether settings are what a file gets if nothing can be guessed from it; then its cell ids are not known."""
    return not settings.columns and settings.cell_id_from == "stem" and settings.reader != "digatron"


def _unopened(path: Path, settings: SourceSettings, problem: str) -> ScannedSource:
    """Return the entry of a file that cannot be opened; its cell is known if the name of the file gives it.

    Args:
        problem: why it cannot be opened.
    """
    cells = _cells_by_name(path, settings)
    for cell_id in cells:
        problem += f"; the cell {quote(cell_id)} is not cleaned without it"
    file = SourceFile(printable(path), 0, "unreadable", settings)
    return ScannedSource(file, (), problem=problem, cells_by_name=cells)


def _without_cells(path: Path, settings: SourceSettings, error: ReadError) -> ScannedSource:
    """Return the entry of a file whose cells cannot be found.

    Args:
        error: why.
    """
    try:
        return ScannedSource(readers.source_file(path, settings), (), path.stat().st_mtime_ns, unread=str(error))
    except (ReadError, OSError):
        return _unopened(path, settings, str(error))


def _cells_by_name(path: Path, settings: SourceSettings) -> tuple[str, ...]:
    """Return the cell that a file has according to its name; empty when only its content could say."""
    is_in_content = settings.cell_id_from.startswith("column:") or _may_be_failed_guess(settings)
    if is_in_content or not is_utf8(path):
        return ()
    try:
        return readers.cell_ids(path, settings)
    except ReadError:
        return ()


def _scan(path: Path, settings: SourceSettings, cache: Cache, store: Store) -> ScannedSource:
    status = path.stat()
    known = cache.get((str(path), status.st_size, status.st_mtime_ns))
    if known is not None and known[1]:
        digest, cell_ids = known
        _check_cell_column(path, settings, cell_ids)
        file = SourceFile(str(path), status.st_size, digest, settings)
        parts = read_ranges(store, split_digest(file)) if _has_parts(file, cell_ids) else ()
        if parts is None:
            _, parts = readers.survey(path, settings)
        return ScannedSource(file, cell_ids, status.st_mtime_ns, parts)
    if status.st_size < LONG_BYTES:
        file = readers.source_file(path, settings)
        cell_ids, parts = readers.survey(path, settings)
        _check_cell_column(path, settings, cell_ids)
        return ScannedSource(file, cell_ids, status.st_mtime_ns, parts)
    # Both read the whole file. They run in parallel, so that the second finds its blocks in the disk cache.
    with ThreadPoolExecutor(1) as thread:
        hashing = thread.submit(readers.source_file, path, settings)
        cell_ids, parts = readers.survey(path, settings)
        _check_cell_column(path, settings, cell_ids)
        return ScannedSource(hashing.result(), cell_ids, status.st_mtime_ns, parts)


def _check_cell_column(path: Path, settings: SourceSettings, cell_ids: Sequence[str]) -> None:
    """Refuse a text file whose column of cell ids counts rows: it has nearly as many values as the file has rows.

    Args:
        cell_ids: all values of the column.

    Raises:
        ReadError: names the column and says what to use instead.
    """
    if len(cell_ids) < MANY_CELLS or settings.reader != "csv" or path.suffix.lower() in GZIP_SUFFIXES:
        return
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    rows = path.stat().st_size * head.count(b"\n") / max(len(head), 1)
    if rows < LEAST_ROWS_PER_CELL * len(cell_ids):
        column = settings.cell_id_from.partition(":")[2]
        raise _RowCounterError(
            f"{path}: the column {column!r} has {len(cell_ids)} different values in about {rows:.0f} rows, so it "
            'counts rows and holds no cell ids; set cell_id = "stem", or the column that holds them, in [[sources]]'
        )


def _has_parts(file: SourceFile, cell_ids: Sequence[str]) -> bool:
    """Whether a file is long enough, and of several cells, so that it is split in parts."""
    return file.bytes > RANGE_BYTES and len(cell_ids) > 1


def _read_cache(catalog: Path, settings: SourceSettings) -> Cache:
    if not catalog.is_file():
        return {}
    with closing(queries.connect(catalog)) as reader:
        return queries.source_cache(reader, settings)
