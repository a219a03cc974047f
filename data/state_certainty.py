"""How well the starting state of a simulation is known, in words, and whether that matters beside its error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SHOWN_MV: Final = 1.0
SHOWN_SHARE: Final = 0.1
"""Uncertainty of a starting state that is shown beside results: in mV, or as a share of the RMSE."""

SHOWN_SOC: Final = 0.01
"""The same as a state of charge: where the open-circuit voltage is flat, few mV are much charge. Chosen."""

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
    limit = SHOWN_MV if rmse_mv is None else min(SHOWN_MV, SHOWN_SHARE * rmse_mv)
    return uncertainty_mv > limit or (uncertainty_soc or 0.0) > SHOWN_SOC


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


def short_state_words(row: Mapping[str, Any]) -> str:
    """Return ``start ±12 mV`` where the starting state of a simulation or fit is uncertain, else "".

    Args:
        row: of the catalog's ``simulations`` or ``fits``; absent columns = not known.
    """
    millivolt = row.get("state_uncertainty_mv")
    if millivolt is None or not is_state_uncertain(millivolt, row.get("state_uncertainty_soc"), row.get("rmse_mv")):
        return ""
    return f"start ±{millivolt:.2g} mV"
