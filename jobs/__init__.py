"""The work on one cell: pure functions of frames and frozen values, without files, Dask or SQL."""

import os

# PyBaMM asks about telemetry at its first import; a worker has nobody to ask.
os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
