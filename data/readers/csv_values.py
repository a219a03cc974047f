"""Convert columns of text to numbers: decimal numbers, dates, and times as hours, minutes and seconds."""

# pyarrow.compute defines its functions at import, where type checkers do not see them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
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
from .number_signs import GROUPED_TEXT, OPPOSITE, OTHER_SEPARATORS, grouped_pattern, plain_number

Kind = Literal["number", "duration", "datetime", "text", "empty"]
MISSING: Final = ("", "nan", "na", "n/a", "#n/a", "-nan", "null", "none")
"""Texts that mean a missing value, in lower case."""

_MISSING: Final = frozenset(MISSING)
ISO: Final = "ISO8601"
DATES: Final = (
    *(ISO, "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%Y-%m-%d", "%Y/%m/%d", "%m.%d.%Y"),
)
"""Known date formats. Where day and month are ambiguous, the first format that reads all sampled values is used."""

FIRST_DATE_SECOND: Final = 315532800.0
"""s since 1970: 1980-01-01; cyclers have no older dates."""

LAST_DATE_SECOND: Final = 7258118400.0
"""s since 1970: 2200-01-01."""

EXCEL_END_SECOND: Final = -2208902400.0
"""s since 1970: 1900-01-02; before it is day 0 or 1 of a workbook's calendar, or year 1."""

NO_SECONDS_ABOVE: Final = 2.6e11
"""A wall clock above it counts ms or less; in s it is after year 9999."""

CLOCKS: Final = ("%H:%M:%S.%f", "%H:%M:%S", "%I:%M:%S %p", "%I:%M:%S.%f %p", "%H:%M", "%I:%M %p")
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
# Days are before a letter, a word or a space, and also before a point (.NET), a colon or a hyphen; a colon may precede
# them. Python writes the sign of the days alone: -1 day, 23:59:58 is -2 s.
_DURATION: Final = (
    r"^:?(?P<sign>[+-]?)(?:(?P<d>\d+)(?P<after>\s*[dD](?:ays?)?,?\s*\+?|\s+|[.:-]))?"
    r"(?P<h>\d+):(?P<m>\d{1,2}):(?P<s>\d{1,2}(?:[.,]\d*)?)$"
)
_NUMBER_TEXT: Final = re.compile(_NUMBER.replace(r"\.", "[.,]"))
_DURATION_TEXT: Final = re.compile(_DURATION)
_PLAIN_ISO: Final = re.compile(
    r"(?:19|20)[0-9]{2}-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
)
"""Dates that are valid in any year, in the most common form; they are recognised without converting them."""

_DATE_TEXT: Final = re.compile(r"\d{1,4}[-/.]\w{1,3}[-/.]\d{1,4}\D?.*")


def value_kind(values: Sequence[str]) -> Kind:
    """Return the kind of most of the values that are not missing.

    Args:
        values: some texts of one column.
    """
    # Nearly all columns hold plain numbers or dates in ISO form only, which is seen without looking at each text.
    if are_plain_numbers(values[: (len(values) + 1) // 2]):
        return "number"
    if _are_plain_iso(values):
        return "datetime"
    known: list[str] = []
    numbers = 0
    for value in values:
        text = value.strip()
        if text.lower() in _MISSING:
            continue
        known.append(text)
        numbers += is_number(text)
        if 2 * numbers >= len(values):  # the rest cannot change it
            return "number"
    if not known:
        return "empty"
    if 2 * numbers >= len(known):
        return "number"
    forms: tuple[tuple[Kind, re.Pattern[str]], ...] = (("duration", _DURATION_TEXT), ("datetime", _DATE_TEXT))
    for kind, form in forms:
        if 2 * sum(form.fullmatch(value) is not None for value in known) >= len(known):
            return kind
    return "text"


def are_plain_numbers(texts: Sequence[str]) -> bool:
    """Tell quickly whether all texts are finite numbers with a decimal point; there is at least one.

    Each of them also is a number for :func:`is_number`.
    """
    try:
        numbers = list(map(float, texts))
    except ValueError:
        return False
    # Python also reads 1_000.
    return bool(numbers) and all(map(math.isfinite, numbers)) and "_" not in "".join(texts)


def _are_plain_iso(texts: Sequence[str]) -> bool:
    return bool(texts) and all(map(_PLAIN_ISO.fullmatch, texts))


def median_number(values: Sequence[str]) -> float:
    """Return the median of the values that are numbers; 0 if there are none."""
    numbers = [plain_number(value.strip()) for value in values if is_number(value.strip())]
    if not numbers:
        return 0.0
    return median(numbers)


def is_number(text: str) -> bool:
    """Tell whether a text is a number, with either decimal sign and with or without thousands separators."""
    return _NUMBER_TEXT.fullmatch(text) is not None or GROUPED_TEXT.fullmatch(text) is not None


def clean_text(texts: pa.Array) -> pa.Array:
    """Strip white space around the values, and replace texts that mean a missing value (:data:`MISSING`) by null."""
    texts = pc.utf8_trim_whitespace(texts)
    missing = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(MISSING))
    return pc.if_else(missing, pa.scalar(None, pa.string()), texts)


def parse_numbers(texts: pa.Array, decimal: str = ".", thousands: str = "") -> Floats:
    """Convert texts to numbers.

    Args:
        texts: null = missing.
        decimal: decimal sign, point or comma.
        thousands: characters between thousands; "" = the texts show which they are.

    Returns:
        Shape (rows,); NaN for a missing value and for text that is not a finite number.
    """
    pointed = _with_point(texts, decimal)
    try:
        if pointed.null_count > texts.null_count:
            raise pa.ArrowInvalid("a number has the other sign")
        values = _floats(pointed)
    except pa.ArrowInvalid:
        pointed = _with_point(_join_thousands(texts, decimal, thousands), decimal)
        number = pc.match_substring_regex(pointed, _NUMBER)
        values = _floats(pc.if_else(number, pointed, pa.scalar(None, pa.string())))
    values[~np.isfinite(values)] = np.nan
    return values


def _with_point(texts: pa.Array, decimal: str) -> pa.Array:
    """Replace the decimal sign by a point; a number with the other sign becomes null."""
    if decimal == ".":
        return texts
    dotted = pc.match_substring(texts, ".")
    return pc.replace_substring(pc.if_else(dotted, pa.scalar(None, pa.string()), texts), ",", ".")


def _join_thousands(texts: pa.Array, decimal: str, thousands: str) -> pa.Array:
    """Remove thousands separators from the numbers that have them.

    Args:
        texts: the values of one column.
        decimal: decimal sign.
        thousands: characters between thousands; "" = those that cannot be anything else in this column.
    """
    separators = thousands
    if not separators:
        separators = OTHER_SEPARATORS
        if _has_thousands(texts, decimal):
            separators += OPPOSITE[decimal]
    grouped = pc.match_substring_regex(texts, f"^{grouped_pattern(separators, decimal)}$")
    joined = texts
    for separator in separators:
        joined = pc.replace_substring(joined, separator, "")
    return pc.if_else(grouped, joined, texts)


def _has_thousands(texts: pa.Array, decimal: str) -> bool:
    """Tell whether the sign that is not decimal is between thousands in this column.

    It is in ``1,234.5`` and ``1,234,567``, and in a column of whole numbers that writes smaller ones without a sign.
    """
    sign = OPPOSITE[decimal]
    values = texts.drop_null()
    grouped = values.filter(pc.match_substring_regex(values, f"^{grouped_pattern(sign, decimal)}$"))
    if not len(grouped):
        return False
    if pc.any(pc.match_substring_regex(grouped, rf"\{decimal}|\{sign}.*\{sign}")).as_py():
        return True
    whole = values.filter(pc.match_substring_regex(values, r"^[+-]?\d{1,18}$"))
    number = _NUMBER.replace(r"\.", rf"\{decimal}")
    are_whole = pc.sum(pc.match_substring_regex(values, number)).as_py() == len(whole)
    largest = pc.max(pc.abs(pc.cast(pc.utf8_ltrim(whole, "+"), pa.int64()))).as_py() or 0
    return are_whole and 0 < largest < 1000


def parse_durations(texts: pa.Array, decimal: str = ".") -> Floats:
    """Convert times such as ``1d 02:03:04.5``, ``26:03:04.5`` or plain numbers to seconds.

    Days may also be written as in ``1.02:03:04.5``, ``1-02:03:04``, ``1:02:03:04.5``, ``:1:02:03:04`` and ``1 day,
    02:03:04``. A sign belongs to the whole duration, but before the word ``day`` to the days alone.

    Args:
        texts: null = missing.
        decimal: decimal sign of plain numbers.

    Returns:
        Seconds, shape (rows,); NaN for a missing value and for any other text.
    """
    parts = pc.extract_regex(texts, _DURATION)
    numbers: dict[str, Floats] = {}
    for name in "dhms":
        text = pc.replace_substring(pc.struct_field(parts, name), ",", ".")
        numbers[name] = _floats(pc.if_else(pc.equal(text, ""), "0", text))
    # Between a point or colon and the minutes, only hours of a day: 1.02:03:04, but not 1.30:03:04.
    after = pc.is_in(pc.struct_field(parts, "after"), value_set=pa.array([".", ":", "-"]))
    is_in_day = (numbers["h"] < 24) | ~after.to_numpy(zero_copy_only=False)
    hours = np.where(is_in_day, numbers["h"], np.nan)
    values: Floats = ((numbers["d"] * 24 + hours) * 60 + numbers["m"]) * 60 + numbers["s"]
    minus = pc.fill_null(pc.equal(pc.struct_field(parts, "sign"), "-"), False).to_numpy(zero_copy_only=False)
    of_days = pc.fill_null(pc.match_substring(pc.struct_field(parts, "after"), "day"), False)
    if minus.any():
        only_days = of_days.to_numpy(zero_copy_only=False)
        values = np.where(minus, np.where(only_days, values - 2.0 * 86400.0 * numbers["d"], -values), values)
    return np.where(np.isnan(values), parse_numbers(texts, decimal), values)


def parse_datetimes(texts: pa.Array, date: str = ISO) -> Floats:
    """Convert dates with times to seconds since 1970-01-01; those without a time zone are read as UTC.

    Args:
        texts: null = missing.
        date: one of :data:`DATES`, which is tried with all :data:`CLOCKS`, or a complete ``strptime`` format.

    Returns:
        Seconds, shape (rows,); NaN for a missing value and for any other text.
    """
    texts = pc.replace_substring(texts, ",", ".")
    # A plain number is not a date, although it could be a year.
    texts = pc.if_else(pc.match_substring_regex(texts, r"[-/.:]"), texts, pa.scalar(None, pa.string()))
    if date == ISO:
        return _seconds(texts, ISO)
    values = np.full(len(texts), np.nan)
    for form in _formats(date):
        unread = np.isnan(values) & _valid(texts)
        if not unread.any():
            break
        values[unread] = _seconds(texts.filter(pa.array(unread)), form)
    return values


def find_date_format(values: Sequence[str]) -> str:
    """Return the format of :data:`DATES` that reads most of the values; the earlier one of several."""
    if _are_plain_iso(values):
        return ISO
    texts = clean_text(pa.array(list(values), pa.string()))
    best_date = ISO
    most_read = 0
    for date in DATES:
        values_read = int(np.isfinite(parse_datetimes(texts, date)).sum())
        if values_read == len(texts) - texts.null_count:
            return date
        if values_read > most_read:
            best_date = date
            most_read = values_read
    return best_date


def swapped_order(date: str) -> str:
    """Return a date format with day and month swapped; "" if it has no two numbers that could be mistaken.

    Args:
        date: one of :data:`DATES`, or a complete ``strptime`` format.
    """
    if date == ISO or "%d" not in date or "%m" not in date or date.startswith("%Y"):
        return ""
    return date.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


def _formats(date: str) -> tuple[str, ...]:
    has_clock = "%H" in date or "%I" in date
    if has_clock:
        return (date,)
    return (*(f"{date} {clock}" for clock in CLOCKS), date)


def _seconds(texts: pa.Array, form: str) -> Floats:
    series: Any = pd.Series(texts.to_pandas(), dtype="str")
    times = pd.to_datetime(series, format=form, errors="coerce", utc=True).dt.tz_localize(None)
    return to_unix_second(times.to_numpy())


def to_unix_second(times: NDArray[np.datetime64]) -> Floats:
    """Convert times to seconds since 1970-01-01, to the microsecond; a missing time becomes NaN."""
    stamps = times.astype("datetime64[us]", copy=False)
    return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e6)


def without_empty_dates(seconds: Floats) -> Floats:
    """Return wall-clock times in s without the dates that programs write for "no date": year 9999, 1899, 1900, 1970.

    A date outside of years 1980 to 2200 is missing if another one is inside. If none is, a time that never changes is
    missing, and so is every time in a year that no date of a calendar reaches. Times in ms or µs are not judged.

    Args:
        seconds: s since 1970, NaN where missing, shape (rows,).
    """
    inside = (seconds >= FIRST_DATE_SECOND) & (seconds < LAST_DATE_SECOND)
    known = np.isfinite(seconds)
    if bool((inside | ~known).all()):
        return seconds
    if inside.any():
        return np.where(inside | (seconds >= NO_SECONDS_ABOVE), seconds, np.nan)
    empty = (seconds < EXCEL_END_SECOND) | ((seconds >= LAST_DATE_SECOND) & (seconds < NO_SECONDS_ABOVE))
    kept = seconds[known & ~empty]
    if len(kept) and float(np.ptp(kept)) == 0.0:
        empty |= seconds == 0.0
    return np.where(empty, np.nan, seconds)


def _floats(texts: pa.Array) -> Floats:
    values: Floats = pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False)
    return np.array(values, dtype=np.float64)


def _valid(texts: pa.Array) -> Mask:
    valid: Mask = texts.is_valid().to_numpy(zero_copy_only=False)
    return valid
