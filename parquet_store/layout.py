"""Paths of all files in a store, and safe file names for any cell_id.

::

    STORE/
      catalog.sqlite                      everything except the time series
      raw/SPLIT/part-00000.parquet        rows of a raw file with several cells, one cell after the other
      raw/SPLIT/cells.json                which rows of which part are those of a cell
      raw/SPLIT.ranges.json               the ranges in which a long file is split in parallel
      cleaned/CELL.parquet                cleaned samples, one partition for each cell
      quarantine/CELL.parquet             quarantined rows, if there are any
      simulations/CELL/LABEL.parquet      one file for each simulation
      starts/CELL/LABEL.jsonl             evaluations of one start of a fit
      parameter_sets/DIGEST.json          copies of the campaign's parameter files, named by their SHA-256
      fits.toml                           fits added on the command line, as tables of a campaign file
      receipts/KIND/CELL/LABEL.json       the receipt of a job, written after all its other files; that of a cleaning
                                          or simulation that is done is in its Parquet file instead
      receipts/KIND/CELL~LABEL.begun      exists while a job runs: the processes in which it began
      logs/KIND/CELL/LABEL.log            logs of failed jobs
      logs/runs/RUN_ID.log                what each run said
      figures/                            PNG and PDF
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_SUFFIXED = re.compile(r".*-[0-9a-f]{10}")
"""Texts that end like the names that :func:`safe_name` makes for unsafe texts."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows reserves for devices."""


def safe_name(text: str) -> str:
    """Return a file name for any text. Different texts have different names; a safe text is its own name.

    A text is not safe if it has path separators, letters outside ASCII or over 64 characters, ends with a dot or like a
    digest, or is a reserved name. Its file name is its safe characters, up to 40, and ten hex digits of its SHA-256.
    """
    is_safe = (
        _SAFE.fullmatch(text)
        and not text.endswith(".")
        and not _RESERVED.fullmatch(text)
        and not _SUFFIXED.fullmatch(text)
    )
    if is_safe:
        return text
    import hashlib  # takes longer to import than the rest of this module, and most names are safe

    safe_part = re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")[:40] or "cell"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{safe_part}-{digest[:10]}"


BEGUN: Final = ".begun"
"""Suffix of a file that says that a job, or a start of a fit, has begun and has not ended."""


def holder_of(receipt: Path) -> Path | None:
    """Return the Parquet file that has the receipt of a job in it when the job is done.

    Args:
        receipt: path from :meth:`Store.receipt`.

    Returns:
        The path; ``None`` = jobs of this kind have no such file.
    """
    folder, cell = os.path.split(os.path.dirname(receipt))  # noqa: PTH120 - several times as fast, for thousands
    root, kind = os.path.split(folder)
    root = os.path.dirname(root)  # noqa: PTH120
    if kind == "clean":
        return Path(f"{root}/cleaned/{cell}.parquet") if receipt.name == "clean.json" else None
    if kind == "simulate":
        return Path(f"{root}/simulations/{cell}/{receipt.stem}.parquet")
    return None


def list_receipts(root: Path) -> list[Path]:
    """Return the paths of all receipts that a store may have, in a fixed order, as :meth:`Store.receipt` names them.

    Args:
        root: the store's folder.
    """
    receipts = root / "receipts"
    found = set(receipts.glob("*/*/*.json"))
    found.update(receipts / "clean" / path.stem / "clean.json" for path in (root / "cleaned").glob("*.parquet"))
    of_simulations = (root / "simulations").glob("*/*.parquet")
    found.update(receipts / "simulate" / path.parent.name / f"{path.stem}.json" for path in of_simulations)
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Store:
    """Paths in the folder with a campaign's results. Methods return paths; they do not read or write files.

    Args:
        root: the store's folder.
    """

    root: Path

    @property
    def catalog(self) -> Path:
        """Path of the SQLite catalog."""
        return self.root / "catalog.sqlite"

    @property
    def added_fits(self) -> Path:
        """Path of the file with fits that were added on the command line."""
        return self.root / "fits.toml"

    def raw(self, split_digest: str, cell_id: str) -> Path:
        """Return the folder in which earlier versions wrote the raw rows of one cell from a file with several cells.

        Args:
            split_digest: digest of the split job.
            cell_id: the cell.
        """
        return self.root / "raw" / split_digest[:16] / safe_name(cell_id)

    def raw_part(self, split_digest: str, number: int) -> Path:
        """Return the path of raw rows of several cells; ``number`` counts the files of the split job from 0."""
        return self.root / "raw" / split_digest[:16] / f"part-{number:05d}.parquet"

    def raw_index(self, split_digest: str) -> Path:
        """Return the path of the file that says in which rows of which part each cell is."""
        return self.root / "raw" / split_digest[:16] / "cells.json"

    def ranges(self, split_digest: str) -> Path:
        """Return the path of the file with the ranges in which a long raw file is split.

        Args:
            split_digest: digest of the job that would split the complete file.
        """
        return self.root / "raw" / f"{split_digest[:16]}.ranges.json"

    def cleaned(self, cell_id: str) -> Path:
        """Return the path of the cell's partition (cleaned samples)."""
        return self.root / "cleaned" / f"{safe_name(cell_id)}.parquet"

    def quarantine(self, cell_id: str) -> Path:
        """Return the path of the cell's quarantined rows."""
        return self.root / self.quarantine_name(cell_id)

    def quarantine_name(self, cell_id: str) -> str:
        """Return the path of the cell's quarantined rows as :meth:`relative` would; no path is made for it."""
        return f"quarantine/{safe_name(cell_id)}.parquet"

    def simulation(self, cell_id: str, label: str) -> Path:
        """Return the path of a simulation's time series.

        Args:
            cell_id: the cell.
            label: name of the simulation in its cell, such as ``SPMe-Chen2020``.
        """
        return self.root / "simulations" / safe_name(cell_id) / f"{safe_name(label)}.parquet"

    def parameter_set(self, file_digest: str) -> Path:
        """Return the path of the copy of a parameter file; ``file_digest`` is the SHA-256 of its bytes, hex."""
        return self.root / "parameter_sets" / f"{file_digest}.json"

    def journal(self, cell_id: str, label: str) -> Path:
        """Return the path of the evaluations of one start of a fit, which has a label such as ``diffusion-2``."""
        return self.root / "starts" / safe_name(cell_id) / f"{safe_name(label)}.jsonl"

    def receipt(self, kind: str, cell_id: str, label: str) -> Path:
        """Return the path of a job's receipt, by which ``read_receipt`` finds it also in a Parquet file.

        Args:
            kind: split, clean, simulate, start, fit or profile.
            cell_id: the cell.
            label: name of the job among those of its kind and cell.
        """
        return self.root / "receipts" / kind / safe_name(cell_id) / f"{safe_name(label)}.json"

    def begun(self, kind: str, cell_id: str, label: str) -> Path:
        """Return the path of the file that exists while a job runs; arguments as in :meth:`receipt`."""
        return self.root / "receipts" / kind / f"{safe_name(cell_id)}~{safe_name(label)}{BEGUN}"

    def log(self, kind: str, cell_id: str, label: str) -> Path:
        """Return the path of a failed job's log; arguments as in :meth:`receipt`."""
        return self.root / "logs" / kind / safe_name(cell_id) / f"{safe_name(label)}.log"

    def run_log(self, run_id: int) -> Path:
        """Return the path of what a run said; ``run_id`` is that of the catalog."""
        return self.root / "logs" / "runs" / f"{run_id}.log"

    @property
    def figures(self) -> Path:
        """Path of the folder with figures."""
        return self.root / "figures"

    def relative(self, path: Path) -> str:
        """Return a path as catalog and receipts store it: relative to the store's folder, with forward slashes."""
        return path.relative_to(self.root).as_posix()
