"""Write figures as PNG, PDF or SVG, into a store or where the user wants them; the same data give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from ..data.errors import UsageError
from ..parquet_store.layout import Store, safe_name
from ..parquet_store.write import write_atomically
from .draw.style import house_style
from .select import format_cycles
from .unwritable import says_where_else

FORMATS: Final[dict[str, dict[str, Any]]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""File formats and their metadata. There is no date in them: the same data must give the same bytes."""

USUAL_FORMATS: Final = ("png", "pdf")
"""Formats of figures in a store, unless the user wants others."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where figures go.

    Args:
        formats: of the files in the store.
        out: instead of the store; the name of the figure is added to that of the file. ``None`` = the store.
    """

    formats: tuple[str, ...] = USUAL_FORMATS
    out: Path | None = None


_USUAL: Final = Destination()
_DESTINATION: ContextVar[Destination] = ContextVar("destination", default=_USUAL)


@contextmanager
def writing_to(formats: Sequence[str] = (), out: Path | None = None) -> Iterator[None]:
    """Let :func:`save` write in these formats, or to a file, until the end of the ``with`` block.

    Args:
        formats: keys of ``FORMATS``; empty = PNG and PDF.
        out: a file whose suffix is its format; ``None`` = the store's folder ``figures``.

    Raises:
        UsageError: the file has another suffix.
    """
    if out is not None:
        check_format(out)
    token = _DESTINATION.set(Destination(tuple(formats) or USUAL_FORMATS, out))
    try:
        yield
    finally:
        _DESTINATION.reset(token)


@says_where_else
def save(store: Store, figure: Figure, name: str) -> list[Path]:
    """Write a figure as ``figures/NAME.png`` and ``figures/NAME.pdf``, each atomically; return the paths.

    :func:`writing_to` changes formats and place.
    """
    destination = _DESTINATION.get()
    if destination.out is not None:
        out = destination.out
        return [write_figure(figure, out.with_name(f"{out.stem}_{name}{out.suffix}"))]
    return [write_figure(figure, store.figures / f"{name}.{kind}") for kind in destination.formats]


def check_format(path: Path) -> None:
    """Check that the suffix of a file is that of a format.

    Raises:
        UsageError: it is not; the message lists the formats.
    """
    if path.suffix.lower()[1:] not in FORMATS:
        *first, last = (f".{kind}" for kind in FORMATS)
        raise UsageError(f"the figure {path} must end in {', '.join(first)} or {last}")


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a figure atomically in the format that the suffix of the file says; return the path.

    Raises:
        UsageError: the suffix is that of no format.
    """
    check_format(path)
    write_atomically(path, partial(_write, figure, path.suffix.lower()[1:]))
    return path


def _write(figure: Figure, kind: str, path: Path) -> None:
    with house_style():
        figure.savefig(path, format=kind, metadata=dict(FORMATS[kind]))


def figure_name(
    *first: str,
    cycles: Sequence[int] = (),
    select: str | None = None,
    models: Sequence[str] = (),
    parameter_sets: Sequence[str] = (),
) -> str:
    """Return the file name of a cell's figure, without suffix: what it shows, then what was selected for it.

    Args:
        first: kind of the figure and cell.
        cycles, select, models, parameter_sets: what was selected; empty = all, and not in the name.
    """
    parts = list(first)
    if cycles:
        parts.append(f"cycles-{format_cycles(cycles)}")
    if select is not None:
        parts.append(f"select-{select}")
    parts += ["+".join(models), "+".join(parameter_sets)]
    return "_".join(safe_name(part) for part in parts if part)
