"""Tell which files of a store kilocell wrote itself."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from ..data.parameter_files import content_digest
from .layout import BEGUN, Store

TEMPORARY: Final = re.compile(r".+\.tmp-\d+-[0-9a-f]{8}")
"""Names of files that a process which was killed had not finished."""

PARAMETER_SET: Final = re.compile(r"[0-9a-f]{64}\.json")
PART: Final = re.compile(r"part-\d{3,}\.parquet")
SPLIT: Final = re.compile(r"[0-9a-f]{16}")
RANGES: Final = re.compile(r"[0-9a-f]{16}\.ranges\.json")

FOLDERS: Final = ("receipts", "cleaned", "quarantine", "simulations", "starts", "raw", "parameter_sets")
"""Folders of a store with files that jobs write."""


def is_output(store: Store, path: Path) -> bool:
    """Tell whether a Parquet file is where the job that its metadata name writes it; a copy of it elsewhere is not."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        if b"cell_id" not in metadata:
            return is_shared_part(store, path) and path.parent == store.raw_index(metadata[b"digest"].decode()).parent
        named = {key: metadata[key.encode()].decode() for key in ("cell_id", "digest")}
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return False
    cell_id = named["cell_id"]
    places = [store.cleaned(cell_id), store.quarantine(cell_id)]
    if b"label" in metadata:
        places.append(store.simulation(cell_id, metadata[b"label"].decode(errors="replace")))
    is_part = PART.fullmatch(path.name) and path.parent == store.raw(named["digest"], cell_id)
    return bool(path in places or is_part)


def is_shared_part(store: Store, path: Path) -> bool:
    """Tell whether a path is that of raw rows of several cells."""
    return bool(PART.fullmatch(path.name) and _is_in_split(store, path))


def is_index_of_rows(store: Store, path: Path) -> bool:
    """Tell whether a path is that of the file that says which raw rows are those of a cell."""
    return path.name == "cells.json" and _is_in_split(store, path)


def _is_in_split(store: Store, path: Path) -> bool:
    return path.parent.parent == store.root / "raw" and bool(SPLIT.fullmatch(path.parent.name))


def is_begun_note(path: Path) -> bool:
    """Tell whether a file notes that a job, or a start of a fit, has begun: a run that was killed leaves it behind."""
    if path.suffix != BEGUN:
        return False
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return False
    return not text or text.isdecimal() or text.startswith('{"host"')


def is_parameter_set_copy(path: Path) -> bool:
    """Tell whether a file is a copy of a parameter file: its name is the digest of its content."""
    if not PARAMETER_SET.fullmatch(path.name):
        return False
    try:
        return content_digest(path.read_bytes()) == path.stem
    except OSError:
        return False


def is_inside(store: Store, path: Path) -> bool:
    """Tell whether a path is a regular file in one of the folders that jobs write to, and no link leads elsewhere.

    Receipts are files that anyone may have changed: a path in them is not trusted.
    """
    real = os.path.realpath(path)  # several times as fast as Path.resolve
    relative = path.relative_to(store.root)
    if relative.parts[0] not in (*FOLDERS, "logs") or real != f"{_real(store.root)}/{relative}":
        return False
    return path.is_file()


@cache
def _real(folder: Path) -> str:
    return os.path.realpath(folder)
