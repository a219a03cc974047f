"""Write figures into a store as PNG and PDF; the same data give the same bytes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from ..parquet_store.layout import Store
from ..parquet_store.write import write_atomically
from .draw.style import house_style
from .unwritable import says_where_else

FORMATS: Final[dict[str, dict[str, Any]]] = {"png": {}, "pdf": {"CreationDate": None}}
"""File formats and their metadata. There is no date in them: the same data must give the same bytes."""


@says_where_else
def save(store: Store, figure: Figure, name: str) -> list[Path]:
    """Write a figure as ``figures/NAME.png`` and ``figures/NAME.pdf``, each atomically; return the paths."""
    paths = []
    for kind in FORMATS:
        path = store.figures / f"{name}.{kind}"
        write_atomically(path, partial(_write, figure, kind))
        paths.append(path)
    return paths


def _write(figure: Figure, kind: str, path: Path) -> None:
    with house_style():
        figure.savefig(path, format=kind, metadata=dict(FORMATS[kind]))
