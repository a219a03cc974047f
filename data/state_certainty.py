"""How well the starting state of a simulation is known, in words, and whether that matters beside its error."""

from __future__ import annotations

from typing import Final

from .error_budget import is_too_large

SHOWN_SOC: Final = 0.01
"""Uncertain state of charge that is said beside results: where the voltage is flat, few mV are much charge. Chosen."""

SUBSTITUTED: Final = "model takes it for"
"""Words of a temperature's source where the model means another temperature than the measured one."""


BEYOND_LIMIT: Final = "beyond the set's"
OUTSIDE_WINDOW: Final = "outside the set's window"
RANGE_ENDS: Final = "where the set's range ends"
"""Words of a starting state's source where the state is not one that the set describes."""


def is_beyond_range(source: str | None) -> bool:
    """Tell by its words whether a starting state is outside the set's limits, or was moved to their edge.

    However small its uncertainty is, such a state says that the set describes another cell, or the record another one.
    """
    return any(words in (source or "") for words in (BEYOND_LIMIT, OUTSIDE_WINDOW, RANGE_ENDS))


def is_state_uncertain(uncertainty_mv: float | None, uncertainty_soc: float | None, rmse_mv: float | None) -> bool:
    """Tell whether the uncertainty of a starting state matters.

    Args:
        uncertainty_mv: of its open-circuit voltage, mV; ``None`` = the user gives the state, or it is not known.
        uncertainty_soc: of its state of charge; ``None`` likewise.
        rmse_mv: of the simulation or fit, mV; ``None`` = it has none.
    """
    if uncertainty_mv is None:
        return False
    return is_too_large(uncertainty_mv, rmse_mv) or (uncertainty_soc or 0.0) > SHOWN_SOC


def describe_state_certainty(uncertainty_mv: float | None, uncertainty_soc: float | None, source: str) -> str:
    """Return ``±12 mV, ±0.8 % state of charge: rest voltage …``.

    Args:
        uncertainty_mv, uncertainty_soc: as in :func:`is_state_uncertain`.
        source: of the state, in words.
    """
    known = []
    if uncertainty_mv is not None:
        known.append(f"±{uncertainty_mv:.2g} mV")
    if uncertainty_soc is not None:
        known.append(f"±{100.0 * uncertainty_soc:.2g} % state of charge")
    return ": ".join(filter(None, (", ".join(known), source)))
