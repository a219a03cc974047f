"""Read receipts: from files of their own, and from the Parquet files of jobs that are done. Without pyarrow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.codec import from_json, from_plain
from ..data.results.receipt import OutputFile, Receipt
from . import embedded
from .layout import Store, holder_of, list_receipts, safe_name


def read_receipt(path: Path) -> Receipt | None:
    """Read a receipt; a file of its own counts before the one in the Parquet file of the job.

    Args:
        path: from :meth:`Store.receipt`.

    Returns:
        The receipt; ``None`` = there is none, or it is not complete.
    """
    try:
        return from_json(Receipt, path.read_bytes())
    except FileNotFoundError:
        return _read_embedded(path, with_result=True)
    except ValueError:
        return None


def read_receipt_head(path: Path) -> Receipt | None:
    """Read a receipt without the result of its job, but for a split, whose result names the cells; ``None`` as above.

    The result takes most of the time.
    """
    try:
        plain = json.loads(path.read_bytes())
        if plain["kind"] != "split":
            plain["result"] = None
        return from_plain(Receipt, plain)
    except FileNotFoundError:
        return _read_embedded(path, with_result=False)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _read_embedded(path: Path, with_result: bool) -> Receipt | None:
    """Read the receipt of a job from its Parquet file, which is the first of the receipt's outputs."""
    holder = holder_of(path)
    found = None if holder is None else embedded.find(holder)
    if holder is None or found is None:
        return None
    try:
        plain: dict[str, Any] = json.loads(found.head)
        plain["result"] = json.loads(found.result_json()) if with_result else None
        receipt = from_plain(Receipt, plain)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    named = (receipt.kind, safe_name(receipt.cell_id), f"{safe_name(receipt.label)}.json")
    if named != path.parts[-3:]:  # a copy of another file
        return None
    root = path.parents[3]
    itself = OutputFile(holder.relative_to(root).as_posix(), found.size, found.digest)
    return replace(receipt, outputs=(itself, *receipt.outputs))


def forget_job(store: Store, kind: str, cell_id: str, label: str) -> None:
    """Delete the receipt of an earlier run of a job, which must not vouch for files that are about to be overwritten.

    The receipt in a Parquet file goes first, with the file: as long as there is one in a file of its own, that counts.

    Args:
        kind, cell_id, label: as in :meth:`Store.receipt`.
    """
    path = store.receipt(kind, cell_id, label)
    holder = holder_of(path)
    if holder is not None:
        holder.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    if kind == "clean":
        store.quarantine(cell_id).unlink(missing_ok=True)


def is_valid(store: Store, receipt: Receipt | None, digest: str) -> bool:
    """Tell whether a job is done: its receipt has this digest and the status done, and its files have their sizes.

    Args:
        store: the store.
        receipt: the job's receipt; ``None`` = it has none.
        digest: the job's current digest.
    """
    if receipt is None or receipt.digest != digest or receipt.status != "done":
        return False
    for output in receipt.outputs:
        try:
            if os.stat(f"{store.root}/{output.path}").st_size != output.bytes:  # noqa: PTH116 - for thousands of jobs
                return False
        except OSError:
            return False
    return True


def read_all_receipts(store: Store) -> Iterator[Receipt]:
    """Yield every complete receipt of the store, in a fixed order. They are enough to rebuild the catalog."""
    for path in list_receipts(store.root):
        receipt = read_receipt(path)
        if receipt is not None:
            yield receipt
