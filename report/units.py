"""Units as a figure or page shows them: ``m2.s-1`` of PyBaMM's parameter names becomes ``m² s⁻¹``."""

from __future__ import annotations

import re
from typing import Final

_SUPERSCRIPT: Final = str.maketrans("-+0123456789", "⁻⁺⁰¹²³⁴⁵⁶⁷⁸⁹")
SYMBOLS: Final = {"Ohm": "Ω", "ohm": "Ω", "degC": "°C"}
"""Units that PyBaMM's names spell out."""

_FACTOR: Final = re.compile(r"(?P<symbol>[^\W\d_]+|°C|%)\^?(?P<power>[-+]?\d+)?")
"""A unit and its power: ``m2``, ``s-1``, ``kg^3``."""


def typeset_unit(unit: str) -> str:
    """Return a unit with superscripts, and a space between its factors: ``A h``, ``mol m⁻³``, ``V K⁻¹``.

    A text that is not a product of units with whole powers is returned as it is.

    Args:
        unit: as in PyBaMM's names, such as ``m2.s-1``, ``W.m-2.K-1`` or ``A.h``; "" and ``-`` = no unit.
    """
    text = unit.strip()
    if text in ("", "-", "1"):
        return ""
    factors = [_FACTOR.fullmatch(factor) for factor in re.split(r"[.·*\s]+", text)]
    if any(factor is None for factor in factors):
        return text
    return " ".join(_typeset_factor(factor) for factor in factors if factor is not None)


def typeset_units(text: str) -> str:
    """Return a text with the units in its square brackets typeset, as of ``Diffusivity [m2.s-1]``."""
    return re.sub(r"\[([^\]\[]*)\]", lambda match: f"[{typeset_unit(match[1]) or match[1]}]", text)


def _typeset_factor(factor: re.Match[str]) -> str:
    power = factor["power"] or ""
    symbol = SYMBOLS.get(factor["symbol"], factor["symbol"])
    return symbol + ("" if power == "1" else power.translate(_SUPERSCRIPT))
