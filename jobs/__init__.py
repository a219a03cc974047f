"""The work on one cell: pure functions of frames and frozen values, without files, Dask or SQL."""
