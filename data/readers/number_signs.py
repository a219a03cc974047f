"""Find the decimal sign and the thousands separator of a table, by evidence over its columns.

``1,234`` can be 1234 or 1.234. Some values have one meaning: ``0,5`` and ``3,6750`` have a decimal comma, ``1,234.5``
and ``1,234,567`` have commas between thousands. A column of whole numbers that has ``960`` and ``1,020`` has them, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

OTHER_SEPARATORS: Final = " '\u2019\u00a0\u2009\u202f"
"""Thousands separators that cannot be decimal signs: apostrophes, and spaces of several widths."""

OPPOSITE: Final = {".": ",", ",": "."}

_POINT: Final = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_COMMA: Final = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_WHOLE: Final = re.compile(r"[+-]?\d+")


def grouped_pattern(separators: str, decimal: str) -> str:
    """Return the regular expression of a number with thousands separators, in the syntax of both ``re`` and RE2.

    Args:
        separators: the characters that may be between thousands.
        decimal: decimal sign.
    """
    between = "".join("\\" + sign if sign in ".'" else sign for sign in separators)
    return rf"[+-]?[1-9]\d{{0,2}}(?:[{between}]\d{{3}})+(?:\{decimal}\d*)?"


GROUPED_TEXT: Final = re.compile(
    "|".join(
        [
            *(grouped_pattern(OPPOSITE[decimal], decimal) for decimal in ".,"),
            *(grouped_pattern(OTHER_SEPARATORS, decimal) for decimal in ".,"),
        ]
    )
)
"""A number with thousands separators of any kind; ``1,234`` and ``1.234`` are of this form, too."""

_GROUP_BEGINS: Final = re.compile(rf"[+-]?[1-9]\d?\d?[.,{OTHER_SEPARATORS}]\d\d\d(?!\d)")
"""How every number with thousands separators begins; most other texts do not, which is faster to see."""

_LINE_BEGINS_GROUPED: Final = re.compile(rf"\n[^\S\n]*+{_GROUP_BEGINS.pattern}")
"""The same at the beginning of a line other than the first."""

_GROUPED: Final = {sign: re.compile(grouped_pattern(sign, OPPOSITE[sign])) for sign in ".,"}
_SPACED: Final = {sign: re.compile(grouped_pattern(OTHER_SEPARATORS, sign)) for sign in ".,"}


@dataclass(slots=True)
class _Evidence:
    """What the values of a table show about one sign, point or comma.

    Args:
        decimals: number of values in which it can only be the decimal sign.
        thousands: number of values in which it can only be between thousands.
        grouped: number of values with groups of three digits behind it.
        fixed: number of columns in which every number has it; those are likely decimals of a fixed length.
        partial: number of grouped values in the other columns.
    """

    decimals: int = 0
    thousands: int = 0
    grouped: int = 0
    fixed: int = 0
    partial: int = 0


def find_number_signs(
    rows: Sequence[Sequence[str]], more_rows: Callable[[], Sequence[Sequence[str]]], delimiter: str
) -> tuple[str, str]:
    """Find the decimal sign, and the thousands separators if the table has them.

    Args:
        rows: the sample of the table.
        more_rows: returns more rows; called only if the sample does not show what a sign is.
        delimiter: between fields.

    Returns:
        Decimal sign, point or comma, and the characters between thousands: one sign, :data:`OTHER_SEPARATORS`, or "".
    """
    if delimiter != ";":
        # Most tables have neither sign as in 1,234 or 1.234, which one search over all values shows.
        text = "\n".join(["", *map("\n".join, rows)])
        if "," not in text and not _LINE_BEGINS_GROUPED.search(text):
            return ".", ""
    values = [value.strip() for row in rows for value in row]
    with_comma = [value for value in values if "," in value]
    grouped = [value for value in values if _GROUP_BEGINS.match(value)]
    points = sum(_POINT.fullmatch(value) is not None for value in values)
    commas = sum(_COMMA.fullmatch(value) is not None for value in with_comma)
    decimal = "."
    if commas > points or (delimiter == ";" and points == 0):
        decimal = ","
    if not any(GROUPED_TEXT.fullmatch(value) for value in grouped):
        return decimal, ""
    evidence = _find_evidence(rows)
    is_ambiguous = evidence[decimal].decimals == 0 and evidence[decimal].grouped > 0
    if is_ambiguous:
        evidence = _find_evidence(more_rows())
    decimal = _decide_decimal(decimal, evidence, has_neither=points == commas == 0)
    return decimal, _decide_thousands(decimal, evidence, values)


def plain_number(text: str) -> float:
    """Return a number, whatever its signs are; the last of two different signs is decimal.

    Args:
        text: a number with or without thousands separators.
    """
    digits = re.sub(f"[{OTHER_SEPARATORS}]", "", text)
    last = max(digits.rfind("."), digits.rfind(","))
    if last >= 0:
        sign = digits[last]
        digits = digits.replace(OPPOSITE[sign], "")
        digits = digits.replace(sign, "") if digits.count(sign) > 1 else digits.replace(sign, ".")
    return float(digits)


def _decide_decimal(decimal: str, evidence: dict[str, _Evidence], *, has_neither: bool) -> str:
    """Return the other sign than the more common one only where the common one is between thousands."""
    common = evidence[decimal]
    other = evidence[OPPOSITE[decimal]]
    if common.thousands > common.decimals and other.thousands <= other.decimals:
        return OPPOSITE[decimal]
    if has_neither and other.decimals > common.decimals:
        return OPPOSITE[decimal]
    has_no_proof = common.decimals == common.thousands == other.thousands == 0
    if has_no_proof and common.grouped and not common.fixed and (other.fixed or other.decimals):
        return OPPOSITE[decimal]
    return decimal


def _decide_thousands(decimal: str, evidence: dict[str, _Evidence], values: Sequence[str]) -> str:
    sign = OPPOSITE[decimal]
    between = evidence[sign]
    is_proved = between.thousands > between.decimals
    has_decimals = evidence[decimal].decimals > 0 or evidence[decimal].fixed > 0
    cannot_be_decimal = between.partial > 0 and between.decimals == 0 and has_decimals
    if is_proved or cannot_be_decimal:
        return sign
    if any(_SPACED[decimal].fullmatch(value) for value in values):
        return OTHER_SEPARATORS
    return ""


def _find_evidence(rows: Sequence[Sequence[str]]) -> dict[str, _Evidence]:
    evidence = {".": _Evidence(), ",": _Evidence()}
    for column in zip_longest(*rows, fillvalue=""):
        values = [value.strip() for value in column]
        for sign in evidence:
            _add_column(evidence, sign, values)
    return evidence


def _add_column(evidence: dict[str, _Evidence], sign: str, values: Sequence[str]) -> None:
    """Add what one column shows about a sign."""
    counts = evidence[sign]
    form = _POINT if sign == "." else _COMMA
    opposite_form = _COMMA if sign == "." else _POINT
    grouped = [value for value in values if _GROUPED[sign].fullmatch(value)]
    certain = [value for value in grouped if OPPOSITE[sign] in value or value.count(sign) > 1]
    decimals = sum(form.fullmatch(value) is not None for value in values) - (len(grouped) - len(certain))
    whole = [value for value in values if _WHOLE.fullmatch(value)]
    counts.grouped += len(grouped)
    counts.decimals += decimals + sum(_SPACED[sign].fullmatch(value) is not None and sign in value for value in values)
    evidence[OPPOSITE[sign]].decimals += sum(OPPOSITE[sign] in value for value in grouped)
    if len(certain) > decimals:
        counts.thousands += len(certain)
    elif grouped and not decimals and not any(opposite_form.fullmatch(value) for value in values):
        counts.thousands += len(grouped) if _are_whole_numbers(whole, grouped) else 0
    if grouped or decimals:
        counts.fixed += not whole
        counts.partial += len(grouped) if whole else 0


def _are_whole_numbers(whole: Sequence[str], grouped: Sequence[str]) -> bool:
    """Tell whether a column counts 960, 1,020: small numbers have no sign, and zeros at the end are written.

    Zero alone shows nothing, because it is often written without decimals.
    """
    numbers = [abs(int(value)) for value in whole]
    return max(numbers, default=0) > 0 and max(numbers) < 1000 and any(value.endswith("0") for value in grouped)
