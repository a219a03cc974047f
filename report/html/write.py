"""Write the report of a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from ...data.errors import StoreError
from ...data.left_out import leave_out
from ...parquet_store.layout import Store, safe_name
from ...parquet_store.run_lock import see_lock
from ...parquet_store.write import write_atomically
from ...sqlite import queries
from ..store_folder import check_is_store
from .cell_details import ContentByCell, by_cell, cell_details
from .content import Content, Row, read_content
from .curves import read_curves
from .encode import to_json
from .page import render_page

FEW_CELLS: Final = 20
"""Cells up to which everything is in one file, whatever its size."""

INLINE_BYTES: Final = 8_000_000
"""Bytes of the cells' panels up to which a store of more cells is in one file, too."""

FEWEST_POINTS: Final = 1_500
MOST_POINTS: Final = 6_000
POINTS_OF_ALL: Final = 1_500_000
"""Samples of a cell's curves: between these two, so that all cells together have about this many."""

CALL: Final = "kilocellCell("
"""Beginning of a side file: a call of a function of the page, because a page from a disk may not fetch files."""


@dataclass
class Report:
    """What was written.

    Args:
        path: the page.
        bytes: its size.
        folder: with the side files; ``None`` = everything is in the page.
        side_files: their number.
        side_bytes: their size.
        problems: files of the store that could not be read, in words.
    """

    path: Path
    bytes: int = 0
    folder: Path | None = None
    side_files: int = 0
    side_bytes: int = 0
    problems: list[str] = field(default_factory=list)


def write_report(
    root: Path,
    out: Path | None = None,
    *,
    everything: bool = False,
    notes: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Write the report of a store as one HTML file; of many cells, with side files that it opens on demand.

    Args:
        root: the store's folder.
        out: the file; ``None`` = ``report.html`` in the store's folder. Side files go to ``report_files`` beside it.
        everything: also what is out of date or of an earlier campaign, marked as such.
        notes: lines that the report says first, such as that the campaign was changed.
        progress: called with the number of cells that are done, and of all cells.

    Raises:
        StoreError: the folder is not a store, or the file cannot be written.
    """
    check_is_store(root)
    report = Report(root / "report.html" if out is None else out)
    if report.path.is_dir():
        raise StoreError(f"{report.path} is a folder: give a file, such as --out {report.path / 'report.html'}")
    with closing(queries.connect(Store(root).catalog, everything=everything)) as catalog:
        content = read_content(catalog, see_lock(root))
    panels = _Panels(report)
    try:
        _make_panels(Store(root), content, panels, progress)
        text = render_page(root, content, panels.index(), panels.inline, report.problems, notes, everything)
        report.bytes = write_atomically(report.path, partial(_write_text, text))
    except OSError as error:
        raise StoreError(
            f"the report cannot be written: {error.strerror or error} ({error.filename or report.path}). "
            "Give another file with --out."
        ) from error
    panels.remove_old()
    for problem in report.problems:
        leave_out(problem)
    return report


def _write_text(text: str, path: Path) -> None:
    path.write_bytes(text.encode("utf-8", "replace"))


class _Panels:
    """The panels of the cells: kept for the page while they are small, else written to side files."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.folder = report.path.with_name(f"{report.path.stem}_files")
        self.inline: list[str] = []
        self._names: list[str] = []
        self._bytes = 0
        self._written: set[str] = set()

    def add(self, cell_id: str, text: str) -> None:
        """Add the panel of the next cell."""
        self._names.append(f"{safe_name(cell_id)}.js")
        self._bytes += len(text)
        if self.report.folder is not None:
            self._write(len(self._names) - 1, text)
            return
        self.inline.append(text)
        if len(self._names) > FEW_CELLS and self._bytes > INLINE_BYTES:
            self.report.folder = self.folder
            for number, kept in enumerate(self.inline):
                self._write(number, kept)
            self.inline = []

    def index(self) -> dict[str, Any]:
        """Return where the page finds the panels: folder ("" = in the page), and the file of each cell."""
        if self.report.folder is None:
            return {"folder": "", "files": []}
        return {"folder": self.folder.name, "files": self._names}

    def remove_old(self) -> None:
        """Remove side files that an earlier report wrote and that this one does not have."""
        if not self.folder.is_dir():
            return
        for path in self.folder.glob("*.js"):
            if path.name not in self._written and path.read_bytes()[: len(CALL)] == CALL.encode():
                path.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _write(self, number: int, text: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = self._names[number]
        temporary = self.folder / f"{name}.tmp-{os.getpid()}"
        content = f"{CALL}{number},{text});\n".encode("utf-8", "replace")
        temporary.write_bytes(content)
        temporary.replace(self.folder / name)
        self._written.add(name)
        self.report.side_files += 1
        self.report.side_bytes += len(content)


def _make_panels(store: Store, content: Content, panels: _Panels, progress: Callable[[int, int], None]) -> None:
    rows = by_cell(content)
    total = len(content.cells)
    points = min(max(POINTS_OF_ALL // max(total, 1), FEWEST_POINTS), MOST_POINTS)
    progress(0, total)
    for number, cell in enumerate(content.cells, 1):
        panels.add(cell["cell_id"], _panel(store, rows, cell, points, panels.report.problems))
        progress(number, total)


def _panel(store: Store, rows: ContentByCell, cell: Row, points: int, problems: list[str]) -> str:
    """Return the panel of a cell as JSON."""
    cell_id = cell["cell_id"]
    details = cell_details(rows, cell_id)
    details["curves"], details["problems"] = None, []
    if cell["path"] is not None:
        simulated = rows.simulations.get(cell_id, [])
        drawn = [place for place, row in enumerate(simulated) if row["path"] is not None]
        curves = read_curves(store, cell_id, [simulated[place] for place in drawn], points)
        problems += curves.problems
        details["problems"] = curves.problems
        details["curves"] = None if curves.data is None else {**curves.data, "drawn_simulations": drawn}
    return to_json(details)
