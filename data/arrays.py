"""Names of NumPy array types, for annotations. Each is an array of any shape; docstrings say shape and unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""Measured or computed numbers in double precision; NaN where a value is missing."""

Integers = NDArray[np.int64]
"""Whole numbers: counts, row numbers, cycle and step numbers, flags (one bit for each cleaning rule)."""

Mask = NDArray[np.bool_]
"""True or false for each sample; selects the samples where it is true."""

Codes = NDArray[np.int8]
"""Small whole numbers, each the code of a category such as a step type."""

Indices = NDArray[np.intp]
"""Positions in an array, counted from 0, as ``np.flatnonzero`` returns them."""
