"""Tell whether a file breaks off inside its last number, because it was copied while the cycler wrote it.

Many exporters write no line end after the last row, so a missing line end alone shows nothing. The values before it in
the same column do: ``4.14`` after ``4.14486`` and ``4.14487`` is cut off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from .csv_values import MISSING, is_number, value_kind
from .number_signs import plain_number

FEW_VALUES: Final = 5
"""With fewer values before it, a shorter one shows nothing: an exporter may omit zeros at the end."""

ONE_DIGIT_VALUES: Final = 20
"""The same for a value that is only one digit shorter; of ten numbers without zeros at the end, one is."""

RARE_SHARE: Final = 0.02
"""Share of the values before it, below which a form is taken for a cut one; one of 100 numbers lacks two digits."""

RECENT_VALUES: Final = 10
"""Values that show how much a column of whole numbers changes from row to row."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How a value is written: ``9.9`` with five digits at its end, or ``9:9:9`` with two.

    Args:
        shape: the text, with 9 for each run of digits, A for each letter, and no sign in front.
        digits: number of digits at its end; 0 for a whole number, which has any length.
    """

    shape: str
    digits: int

    @property
    def is_whole(self) -> bool:
        return self.shape == "9"


def is_cut(text: str, before: Sequence[str], *, is_short: bool) -> bool:
    """Tell whether a value is likely only the beginning of what the cycler measured.

    Args:
        text: the last field of a file without a line end at its end; not empty.
        before: the values before it in the same column, in order.
        is_short: whether the row has fewer fields than usual. Its last field then counts as complete only in a column
            of values of one length, or if it repeats a whole number, such as a step's.
    """
    text = text.strip()
    known = [value.strip() for value in before if value.strip().lower() not in MISSING]
    if text.lower() in MISSING:
        return False
    if not known:
        return is_short
    kind = value_kind(known)
    if kind == "text":
        return text not in known and (is_short or any(value.startswith(text) for value in known))
    forms = [_form(value) for value in known]
    form = _form(text)
    if is_short:
        repeats_whole_number = form.is_whole and text == known[-1]
        return any(other != form for other in forms) or (form.is_whole and not repeats_whole_number)
    if kind == "number" and not is_number(text):
        return True
    if _is_rare(form, forms):
        return True
    return form.is_whole and _is_cut_whole_number(text, known)


def _form(text: str) -> _Form:
    shape = re.sub(r"[^\W\d_]", "A", re.sub(r"\d+", "9", text.lstrip("+-")))
    if shape == "9":
        return _Form(shape, 0)
    digits = len(text) - len(text.rstrip("0123456789"))
    return _Form(shape, digits)


def _is_rare(form: _Form, forms: Sequence[_Form]) -> bool:
    """Tell whether hardly a value before has this form, or the same shape with fewer digits."""
    if len(forms) < FEW_VALUES:
        return False
    alike = [other.digits for other in forms if other.shape == form.shape]
    has_decimals = form.shape.endswith((".9", ",9"))
    if has_decimals and alike and form.digits == min(alike) - 1 and len(forms) < ONE_DIGIT_VALUES:
        return False
    return sum(digits <= form.digits for digits in alike) < RARE_SHARE * len(forms)


def _is_cut_whole_number(text: str, known: Sequence[str]) -> bool:
    """Tell whether a whole number has fewer digits than the one before without being near it: 125 after 12508."""
    previous = re.split(r"[.,]", known[-1])[0]
    if len(text.lstrip("+-")) >= len(previous.lstrip("+-")) or float(text) == 0:
        return False
    if previous.startswith(text):
        return True
    recent = [plain_number(value) for value in known[-RECENT_VALUES:] if is_number(value)]
    steps = [abs(after - value) for value, after in pairwise(recent)]
    return bool(recent) and abs(float(text) - recent[-1]) > max(1.0, 2 * max(steps, default=0.0))
