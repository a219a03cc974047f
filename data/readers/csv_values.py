"""Columns of text turned into numbers: decimals, dates, and times as hours, minutes and seconds."""

# pyarrow.compute makes its functions at import; no type checker sees them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..arrays import Floats, Mask

Kind = Literal["number", "duration", "datetime", "text", "empty"]
MISSING: Final = ("", "nan", "na", "n/a", "#n/a", "-nan", "null", "none")
"""What stands for a missing value, in lower case."""

ISO: Final = "ISO8601"
DATES: Final = (
    *(ISO, "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%Y-%m-%d", "%Y/%m/%d"),
)
"""Dates that are recognised; where day and month could be either, the first that reads every sample is taken."""

CLOCKS: Final = ("%H:%M:%S.%f", "%H:%M:%S", "%I:%M:%S %p", "%I:%M:%S.%f %p", "%H:%M", "%I:%M %p")
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DURATION: Final = r"^(?:(?P<d>\d+)[dD ]\s*)?(?P<h>\d+):(?P<m>\d{1,2}):(?P<s>\d{1,2}(?:[.,]\d*)?)$"
_NUMBER_TEXT: Final = re.compile(_NUMBER.replace(r"\.", "[.,]"))
_DURATION_TEXT: Final = re.compile(_DURATION)
_DATE_TEXT: Final = re.compile(r"\d{1,4}[-/.]\w{1,3}[-/.]\d{1,4}\D?.*")


def value_kind(values: Sequence[str]) -> Kind:
    """Tell what most of the values that are not missing look like."""
    stripped = [value.strip() for value in values]
    known = [value for value in stripped if value.lower() not in MISSING]
    if not known:
        return "empty"
    forms: tuple[tuple[Kind, re.Pattern[str]], ...] = (
        ("number", _NUMBER_TEXT),
        ("duration", _DURATION_TEXT),
        ("datetime", _DATE_TEXT),
    )
    for kind, form in forms:
        if 2 * sum(form.fullmatch(value) is not None for value in known) >= len(known):
            return kind
    return "text"


def median_number(values: Sequence[str]) -> float:
    """Return the median of those values that are numbers; 0 where there are none."""
    numbers = [value.strip().replace(",", ".") for value in values if _NUMBER_TEXT.fullmatch(value.strip())]
    return median(float(number) for number in numbers) if numbers else 0.0


def clean_text(texts: pa.Array) -> pa.Array:
    """Strip white space around the values, and turn what stands for a missing value into null."""
    texts = pc.utf8_trim_whitespace(texts)
    missing = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(MISSING))
    return pc.if_else(missing, pa.scalar(None, pa.string()), texts)


def parse_numbers(texts: pa.Array, decimal: str = ".") -> Floats:
    """Turn texts (null = missing) into numbers; what is missing or no finite number becomes NaN."""
    if decimal == ",":
        dotted = pc.match_substring(texts, ".")
        texts = pc.replace_substring(pc.if_else(dotted, pa.scalar(None, pa.string()), texts), ",", ".")
    try:
        values = _floats(texts)
    except pa.ArrowInvalid:
        number = pc.match_substring_regex(texts, _NUMBER)
        values = _floats(pc.if_else(number, texts, pa.scalar(None, pa.string())))
    values[~np.isfinite(values)] = np.nan
    return values


def parse_durations(texts: pa.Array, decimal: str = ".") -> Floats:
    """Turn times such as ``1d 02:03:04.5``, ``26:03:04.5`` or plain numbers into seconds; anything else is NaN."""
    parts = pc.extract_regex(texts, _DURATION)
    days, hours, minutes, seconds = (
        _floats(pc.if_else(pc.equal(text, ""), "0", text))
        for text in (pc.replace_substring(pc.struct_field(parts, name), ",", ".") for name in "dhms")
    )
    values: Floats = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return np.where(np.isnan(values), parse_numbers(texts, decimal), values)


def parse_datetimes(texts: pa.Array, date: str = ISO) -> Floats:
    """Turn dates with times into seconds since 1970-01-01, taken as UTC where they name no zone; else NaN.

    Args:
        date: one of :data:`DATES`, tried with the usual clocks, or a whole ``strptime`` format.
    """
    texts = pc.replace_substring(texts, ",", ".")
    # A bare number is no date, even where it could be a year.
    texts = pc.if_else(pc.match_substring_regex(texts, r"[-/.:]"), texts, pa.scalar(None, pa.string()))
    if date == ISO:
        return _seconds(texts, ISO)
    values = np.full(len(texts), np.nan)
    for form in _formats(date):
        todo = np.isnan(values) & _valid(texts)
        if not todo.any():
            break
        values[todo] = _seconds(texts.filter(pa.array(todo)), form)
    return values


def find_date_format(values: Sequence[str]) -> str:
    """Return the entry of :data:`DATES` that reads most of the values, the earlier one where several do."""
    texts = clean_text(pa.array(list(values), pa.string()))
    best, most = ISO, 0
    for date in DATES:
        read = int(np.isfinite(parse_datetimes(texts, date)).sum())
        if read == len(texts) - texts.null_count:
            return date
        if read > most:
            best, most = date, read
    return best


def _formats(date: str) -> tuple[str, ...]:
    return (date,) if "%H" in date or "%I" in date else (*(f"{date} {clock}" for clock in CLOCKS), date)


def _seconds(texts: pa.Array, form: str) -> Floats:
    series: Any = pd.Series(texts.to_pandas(), dtype="str")
    times = pd.to_datetime(series, format=form, errors="coerce", utc=True).dt.tz_localize(None)
    return to_unix_second(times.to_numpy())


def to_unix_second(times: NDArray[np.datetime64]) -> Floats:
    """Turn times into seconds since 1970-01-01, to the microsecond; NaN where there is none."""
    stamps = times.astype("datetime64[us]", copy=False)
    return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e6)


def _floats(texts: pa.Array) -> Floats:
    values: Floats = pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False)
    return np.array(values, dtype=np.float64)


def _valid(texts: pa.Array) -> Mask:
    valid: Mask = texts.is_valid().to_numpy(zero_copy_only=False)
    return valid
