"""Names of NumPy array types, for annotations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.int8]
Indices = NDArray[np.intp]
