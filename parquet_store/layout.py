"""Where everything lies in a store, and file names that are safe for any cell_id.

::

    STORE/
      catalog.sqlite                      everything but the curves
      raw/SPLIT/CELL/part-000.parquet     rows of a raw file that holds several cells
      raw/SPLIT.ranges.json               the parts in which a long one is split, side by side
      cleaned/CELL.parquet                one partition per cell
      quarantine/CELL.parquet             rows that cleaning took out
      simulations/CELL/LABEL.parquet      one file per simulation
      parameter_sets/DIGEST.json          the files of the campaign's own parameter sets, by what is in them
      fits.toml                           fits asked on the command line, as tables of a campaign file
      receipts/KIND/CELL/LABEL.json       the last thing each job writes
      logs/  figures/
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_SUFFIXED = re.compile(r".*-[0-9a-f]{10}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe_name(text: str) -> str:
    """Return a file name for any text: distinct for distinct texts, and the text itself where that is safe.

    Unsafe texts (path separators, reserved names, other alphabets, over 64 characters, a trailing dot) keep
    their safe characters, up to 40, followed by ten hex digits of their SHA-256.
    """
    if (
        _SAFE.fullmatch(text)
        and not text.endswith(".")
        and not _RESERVED.fullmatch(text)
        and not _SUFFIXED.fullmatch(text)
    ):
        return text
    kept = re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")[:40] or "cell"
    return f"{kept}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"


@dataclass(frozen=True, slots=True)
class Store:
    """The folder that holds a campaign's results. Makes paths; touches no file."""

    root: Path

    @property
    def catalog(self) -> Path:
        """The SQLite catalog."""
        return self.root / "catalog.sqlite"

    @property
    def added_fits(self) -> Path:
        """The fits asked on the command line, which later plans read."""
        return self.root / "fits.toml"

    def raw(self, split_digest: str, cell_id: str) -> Path:
        """Folder with the raw rows of one cell out of a file that holds several, by the digest of the split job."""
        return self.root / "raw" / split_digest[:16] / safe_name(cell_id)

    def ranges(self, split_digest: str) -> Path:
        """The parts of a long file that holds several cells, by the digest of the job that would split it whole."""
        return self.root / "raw" / f"{split_digest[:16]}.ranges.json"

    def cleaned(self, cell_id: str) -> Path:
        """The cell's partition."""
        return self.root / "cleaned" / f"{safe_name(cell_id)}.parquet"

    def quarantine(self, cell_id: str) -> Path:
        """The rows that cleaning took out of the cell's record."""
        return self.root / "quarantine" / f"{safe_name(cell_id)}.parquet"

    def simulation(self, cell_id: str, label: str) -> Path:
        """The time series of one simulation."""
        return self.root / "simulations" / safe_name(cell_id) / f"{safe_name(label)}.parquet"

    def parameter_set(self, file_digest: str) -> Path:
        """The copy of a parameter set's file, by the SHA-256 of its bytes."""
        return self.root / "parameter_sets" / f"{file_digest}.json"

    def journal(self, cell_id: str, label: str) -> Path:
        """The evaluations of one start of a fit, a line each."""
        return self.root / "starts" / safe_name(cell_id) / f"{safe_name(label)}.jsonl"

    def receipt(self, kind: str, cell_id: str, label: str) -> Path:
        """The receipt of a job."""
        return self.root / "receipts" / kind / safe_name(cell_id) / f"{safe_name(label)}.json"

    def log(self, kind: str, cell_id: str, label: str) -> Path:
        """The log of a job that failed."""
        return self.root / "logs" / kind / safe_name(cell_id) / f"{safe_name(label)}.log"

    @property
    def figures(self) -> Path:
        """Where figures go."""
        return self.root / "figures"

    def relative(self, path: Path) -> str:
        """The path as the catalog and receipts hold it: relative to the store, with forward slashes."""
        return path.relative_to(self.root).as_posix()
