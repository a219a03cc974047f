"""kilocell: raw battery cycling data in; clean data, PyBaMM simulations, fitted parameters and a catalog out.

The command line (``kilocell --help``, or ``python -m kilocell``) does the work. From Python, read a store with
:func:`open_store`::

    import kilocell

    store = kilocell.open_store("kilocell-demo")
    store.cells()  # one row per cell
    store.results("CELL_A")  # every simulation of a cell with its RMSE in mV
    store.samples("CELL_A")  # the cleaned record
    store.simulation("CELL_A", "SPMe", "Chen2020")  # simulated voltage and its error at every sample

``__all__`` lists what is public. Everything else may change between versions. Importing this package imports neither
PyBaMM, Dask, pandas nor pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .data.errors import KilocellError, UsageError

if TYPE_CHECKING:
    from .report.store_reader import StoreReader, open_store

__version__ = "0.1.0"
__all__ = ["KilocellError", "StoreReader", "UsageError", "__version__", "open_store"]


def __getattr__(name: str) -> Any:
    """Import the reader of stores when it is asked for: commands do without it, and start sooner."""
    if name in ("StoreReader", "open_store"):
        from .report import store_reader

        return getattr(store_reader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
