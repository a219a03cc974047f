"""Check the files of a store against its receipts, and set damaged ones aside; the next run makes them again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..data.errors import StoreError
from ..data.parameter_files import content_digest
from ..data.results.receipt import OutputFile, Receipt
from .embedded import is_damaged
from .layout import Store, holder_of, list_receipts
from .parquet_file import open_parquet
from .receipts import read_all_receipts, read_receipt
from .write import file_digest

DAMAGED: Final = ".damaged"
"""Suffix of a damaged file that was set aside."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a file of a store.

    Args:
        path: of the file.
        what: in words, such as ``its bytes have changed``.
        kind: missing, damaged, or unverified (an earlier version wrote no digest of it, but it can be read).
        job: kind, cell_id and label of the job that makes the file; ``None`` = none does.
    """

    path: Path
    what: str
    kind: str
    job: tuple[str, str, str] | None = None


def check_files(store: Store) -> Iterator[Damage]:
    """Yield what is wrong with receipts, with the files they name, and with copies of parameter files.

    Files of which earlier versions stored no digest are read completely; those that can be read are ``unverified``.
    """
    for path in list_receipts(store.root):
        if read_receipt(path) is not None:
            continue
        holder = holder_of(path)
        if path.is_file():
            yield Damage(path, "it is no receipt; its job runs again", "damaged")
        elif holder is not None and is_damaged(holder):
            yield Damage(holder, "its receipt in it cannot be read; its job runs again", "damaged")
    for receipt in read_all_receipts(store):
        for output in receipt.outputs:
            damage = _check_output(store, receipt, output)
            if damage is not None:
                yield damage
    for path in sorted((store.root / "parameter_sets").glob("*.json")):
        if content_digest(path.read_bytes()) != path.stem:
            yield Damage(path, "its bytes have changed", "damaged")


def count_files(store: Store) -> int:
    """Return the number of files that receipts name."""
    return sum(len(receipt.outputs) for receipt in read_all_receipts(store))


def is_intact(path: Path, output: OutputFile) -> bool:
    """Tell whether a file has the bytes that its receipt says. Without a digest in the receipt, its size decides."""
    try:
        if path.stat().st_size != output.bytes:
            return False
        return output.digest is None or file_digest(path) == output.digest
    except OSError:
        return False


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that the next run makes it again; return its new path."""
    target = path.with_name(path.name + DAMAGED)
    path.replace(target)
    return target


def _check_output(store: Store, receipt: Receipt, output: OutputFile) -> Damage | None:
    path = store.root / output.path
    job = (receipt.kind, receipt.cell_id, receipt.label)
    if not path.is_file():
        return Damage(path, "it is missing", "missing", job)
    size = path.stat().st_size
    if size != output.bytes:
        return Damage(path, f"it has {size} bytes, and {output.bytes} were written", "damaged", job)
    if output.digest is not None:
        if file_digest(path) == output.digest:
            return None
        return Damage(path, "its bytes have changed", "damaged", job)
    try:
        with open_parquet(path, "it is missing") as file:
            file.read()
    except StoreError as error:
        return Damage(path, getattr(error, "why", str(error)), "damaged", job)
    return Damage(path, "an earlier version wrote it without a digest; it can be read", "unverified", job)
