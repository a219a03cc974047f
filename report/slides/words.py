"""Numbers as short texts for slides."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ...data.convert import SECONDS_PER_HOUR
from ...data.text import printable_text

UNKNOWN: Final = "unknown"
MOST_DECIMALS: Final = 6
LEAST_PERCENT: Final = 0.005
"""A smaller change is shown as unchanged: it would round to 0.01 % or less."""

_SECONDS_PER_DAY: Final = 24 * SECONDS_PER_HOUR
_SECONDS_PER_YEAR: Final = 365.25 * _SECONDS_PER_DAY
_BYTE_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 cell``, ``1,000 cells``."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    return f"{noun[:-1]}ies" if noun.endswith(("ry", "ty")) else f"{noun}s"


def amount(value: float | None, digits: int = 3) -> str:
    """Return a number with a few significant digits and separated thousands; unknown ones as a word."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    if value == 0.0:
        return "0"
    text = f"{value:#.{digits}g}".rstrip(".")
    return text.replace("-", "−")


def amounts(before: float, after: float, digits: int = 4) -> str:
    """Return two numbers with an arrow between them and the same number of decimals: ``24.12 → 24.30``."""
    largest = max(abs(before), abs(after))
    decimals = digits - 1 - math.floor(math.log10(largest)) if largest > 0.0 else 0
    decimals = min(max(decimals, 0), MOST_DECIMALS)
    return f"{before:,.{decimals}f} → {after:,.{decimals}f}"


def millivolts(value: float | None) -> str:
    """Return a voltage error in mV."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{amount(value)} mV"


def percent(value: float) -> str:
    """Return a change in percent, with its sign: ``+2.6 %``."""
    if abs(value) < LEAST_PERCENT:
        return "unchanged"
    return f"{value:+.2g} %".replace("-", "−") if abs(value) < 100 else f"{value:+,.0f} %".replace("-", "−")


def duration(second: float | None) -> str:
    """Return a time in the unit that people would use: ``42 s``, ``3.1 h``, ``12 days``."""
    if second is None or not math.isfinite(second):
        return UNKNOWN
    if second < 1.0:
        return f"{amount(1000 * second, 2)} ms"
    if second < 120.0:
        return f"{amount(second, 2)} s"
    if second < 2 * SECONDS_PER_HOUR:
        return f"{amount(second / 60, 2)} min"
    if second < 2 * _SECONDS_PER_DAY:
        return f"{amount(second / SECONDS_PER_HOUR, 2)} h"
    if second < 2 * _SECONDS_PER_YEAR:
        return f"{amount(second / _SECONDS_PER_DAY, 2)} days"
    return f"{amount(second / _SECONDS_PER_YEAR, 2)} years"


def size(number: float | None) -> str:
    """Return a size in a decimal unit: ``1.3 MB``."""
    if number is None:
        return UNKNOWN
    unit = 0
    while number >= 999.5 and unit < len(_BYTE_UNITS) - 1:
        number /= 1000
        unit += 1
    return f"{amount(number, 2 if number < 9.95 else 3)} {_BYTE_UNITS[unit]}"


def short(name: str, length: int = 24) -> str:
    """Return a user's name on one line and in at most ``length`` characters."""
    text = printable_text(name)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def median(values: list[float | None]) -> float | None:
    """Return the median of the known values; ``None`` = none is known."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.median(known)) if known else None
