"""The work on one cell: pure functions of frames and frozen values, without files, Dask or SQL.

The subpackages, from the bottom up: ``record``, ``parameters``, ``cleaning``, ``current_profile``, ``models``,
``simulation`` and ``export``, ``fitting``. Each imports only those before it.
"""

from __future__ import annotations

import os

# PyBaMM asks about telemetry at its first import; nobody can answer on a worker.
os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
