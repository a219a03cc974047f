"""Write figures into a store: PNG and PDF, the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from ..parquet_store.layout import Store
from ..parquet_store.write import write_atomically
from .draw.style import house_style

FORMATS: Final[dict[str, dict[str, Any]]] = {"png": {}, "pdf": {"CreationDate": None}}
"""File formats and their metadata: without dates, so that the same data make the same bytes."""


def save(store: Store, figure: Figure, name: str) -> list[Path]:
    """Write a figure as ``figures/NAME.png`` and ``.pdf``, each whole or not at all."""
    paths = []
    for kind, metadata in FORMATS.items():
        path = store.figures / f"{name}.{kind}"

        def write(temporary: Path, kind: str = kind, metadata: Mapping[str, Any] = metadata) -> None:
            with house_style():
                figure.savefig(temporary, format=kind, metadata=dict(metadata))

        write_atomically(path, write)
        paths.append(path)
    return paths
