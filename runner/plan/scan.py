"""The campaign's raw files: their digests and the cells they hold, read again only when they changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from ...data.errors import ReadError, UsageError
from ...data.readers import read as readers
from ...data.readers.csv_reader import RANGE_BYTES
from ...data.settings import SourceFile, SourceSettings
from ...parquet_store.layout import Store
from ...parquet_store.read import read_ranges
from ...parquet_store.write import write_ranges
from ...sqlite import queries
from ...sqlite.catalog import Catalog
from .job import ScannedSource, split_digest

Cache = dict[tuple[str, int, int], tuple[str, tuple[str, ...]]]


def scan_sources(sources: Sequence[tuple[Path, SourceSettings]], catalog: Path) -> tuple[ScannedSource, ...]:
    """Find digest and cells of each raw file; files that the catalog knows, by size and time, are not read again.

    A file that cannot be read is given without cells: its split job will fail with the reason, and the others go on.

    Args:
        sources: the campaign's files with how to read them.
        catalog: the catalog of the store; may be absent.

    Raises:
        UsageError: no file can be read at all, or a file's name is no valid text.
    """
    store = Store(catalog.parent)
    caches: dict[SourceSettings, Cache] = {}
    scanned = []
    failures = []
    for path, settings in sources:
        _check_name(path)
        if settings not in caches:
            caches[settings] = _cache(catalog, settings)
        try:
            scanned.append(_scan(path, settings, caches[settings], store))
        except ReadError as error:
            failures.append(str(error))
            scanned.append(ScannedSource(readers.source_file(path, settings), (), path.stat().st_mtime_ns))
        except OSError as error:
            failures.append(f"{path}: {error.strerror}")
            scanned.append(ScannedSource(SourceFile(str(path), 0, "unreadable", settings), ()))
    if not any(source.cell_ids for source in scanned):
        raise UsageError("none of the raw files can be read:\n  " + "\n  ".join(failures))
    return tuple(scanned)


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        reason = "is no valid text, so nothing can record it; rename it"
        raise UsageError(f"the name of the raw file {path.name!a} {reason}") from None


def record_sources(catalog: Catalog, scanned: Sequence[ScannedSource]) -> None:
    """Write the scanned files into the catalog, and the parts of long ones into the store, for the next scan."""
    store = Store(catalog.path.parent)
    with catalog.transaction():
        for source in scanned:
            rows: Counter[str] = Counter()
            for part in source.parts:
                rows.update(dict(part.cells))
            catalog.put_source(source.file, rows or source.cell_ids, source.mtime_ns)
            if _is_long(source.file, source.cell_ids):
                write_ranges(store, split_digest(source.file), source.parts)


def _scan(path: Path, settings: SourceSettings, cache: Cache, store: Store) -> ScannedSource:
    status = path.stat()
    known = cache.get((str(path), status.st_size, status.st_mtime_ns))
    if known is not None and known[1]:
        digest, cell_ids = known
        file = SourceFile(str(path), status.st_size, digest, settings)
        parts = read_ranges(store, split_digest(file)) if _is_long(file, cell_ids) else ()
        if parts is None:
            _, parts = readers.survey(path, settings)
        return ScannedSource(file, cell_ids, status.st_mtime_ns, parts)
    # Both read all of the file, one in the wake of the other, so the disk gives it once.
    with ThreadPoolExecutor(1) as thread:
        hashing = thread.submit(readers.source_file, path, settings)
        cell_ids, parts = readers.survey(path, settings)
        return ScannedSource(hashing.result(), cell_ids, status.st_mtime_ns, parts)


def _is_long(file: SourceFile, cell_ids: Sequence[str]) -> bool:
    return file.bytes > RANGE_BYTES and len(cell_ids) > 1


def _cache(catalog: Path, settings: SourceSettings) -> Cache:
    if not catalog.is_file():
        return {}
    with closing(queries.connect(catalog)) as reader:
        return queries.source_cache(reader, settings)
