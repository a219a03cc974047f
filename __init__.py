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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .data.errors import KilocellError, UsageError
    from .report.store_reader import StoreReader, open_store

__version__ = "0.1.0"
__all__ = ["KilocellError", "StoreReader", "UsageError", "__version__", "open_store"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: the command line answers Ctrl-C before anything slow is imported."""
    if name in ("KilocellError", "UsageError"):
        from .data import errors

        return getattr(errors, name)
    if name in ("StoreReader", "open_store"):
        from .report import store_reader

        return getattr(store_reader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
