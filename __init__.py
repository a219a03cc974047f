"""kilocell: raw cycling data in; clean Parquet, PyBaMM simulations, fitted parameters and a SQLite catalog out.

The command line (``kilocell --help``) is the main way in. From Python, a finished store is read with
:mod:`kilocell.parquet_store` (time series) and :mod:`kilocell.sqlite` (everything else). Importing this
package imports neither PyBaMM nor Dask.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
