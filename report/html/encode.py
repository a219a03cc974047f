"""Encode numbers and values for the report's page: short JSON, and series as base64."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ...data.arrays import Floats

SIGNIFICANT_DIGITS: Final = 6
"""Digits of a number in a table. Chosen: more than is shown anywhere."""

LEVELS: Final = 65_534
"""Steps of a quantised series; the number after them is a missing value."""

MISSING: Final = 65_535
COARSEST_VOLT: Final = 6.5
"""A voltage or error with a larger range (of a failed simulation) is not quantised: steps would exceed 0.1 mV."""


def to_json(value: Any) -> str:
    """Return JSON that may be in a script element: no ``<`` is left in it, and missing numbers are ``null``."""
    text = json.dumps(shorten(value), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def shorten(value: Any) -> Any:
    """Return a value with floats of six digits, and ``None`` for those that are not finite, also inside lists."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, Mapping):
        return {str(key): shorten(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shorten(each) for each in value]
    return value


def encode_series(values: Floats, coarsest: float = math.inf) -> dict[str, Any]:
    """Encode a series with two bytes for each number, or with four if its range is too wide.

    Args:
        values: shape (n,); NaN = missing.
        coarsest: the largest range for two bytes, in the unit of the values.

    Returns:
        ``lo`` and ``step`` (value = lo + step * number; 65535 = missing) with ``u``, or ``f``: base64 of little-endian
        numbers of 16 bits, or of floats of 32 bits.
    """
    known = values[np.isfinite(values)]
    low = float(known.min()) if len(known) else 0.0
    span = float(known.max()) - low if len(known) else 0.0
    if span > coarsest:
        return {"f": _base64(values.astype("<f4"))}
    step = span / LEVELS if span else 1.0
    with np.errstate(invalid="ignore"):
        numbers = np.where(np.isfinite(values), np.rint((values - low) / step), MISSING)
    return {"lo": low, "step": step, "u": _base64(numbers.astype("<u2"))}


def encode_floats(values: Floats) -> dict[str, Any]:
    """Encode a series with four bytes for each number, as :func:`encode_series` does for wide ranges."""
    return {"f": _base64(values.astype("<f4"))}


def _base64(array: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")
