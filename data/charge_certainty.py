"""How well a charge is known: its source and its bounds, from the clean report, and the words for both.

A simulation is driven by the recorded current, so its charge agrees with the record's to a few millionths. That says
nothing about the record: where the current between two rows is not known, neither is the charge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .results.cleaning import CleanReport, CleanResult, CycleSummary

SHOWN_SHARE: Final = 0.005
"""Share of the throughput above which an uncertainty is shown beside results: as for the finding ``charge_uncertain``.
Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class ChargeCertainty:
    """How well the charge of a record, or of some of its cycles, is known."""

    source: str = ""
    """What it is known from, in words; "" = not stated."""

    throughput_ah: float | None = None
    """Charge in + charge out (A.h)."""

    uncertainty_ah: float | None = None
    """Half of upper - lower bound (A.h) of the throughput; ``None`` = the charge has no bounds.

    The net charge (charge in - charge out) has the same uncertainty, because its bounds are as far apart.
    """

    @property
    def share(self) -> float | None:
        """Uncertainty as a share of the throughput; ``None`` = not known, or no charge."""
        return uncertain_share(self.uncertainty_ah, self.throughput_ah)


def uncertain_share(uncertainty_ah: float | None, throughput_ah: float | None) -> float | None:
    """Return the uncertainty of a charge as a share of its throughput.

    Args:
        uncertainty_ah: A.h, >= 0; ``None`` = not known.
        throughput_ah: A.h, charge in + charge out; ``None`` = not known.

    Returns:
        ``None`` where either is not known, or no charge flowed.
    """
    if uncertainty_ah is None or not throughput_ah:
        return None
    return uncertainty_ah / throughput_ah


def charge_certainty(result: CleanResult, cycles: Collection[int] | None = None) -> ChargeCertainty:
    """Return how well the charge of a cleaned record, or of some of its cycles, is known.

    The uncertainties of cycles are added up, as if all of them were off in the same direction. Those of the whole
    record may be smaller: a counter over the whole record also bounds the sum of its cycles.

    Args:
        result: of cleaning.
        cycles: the cycles; ``None`` = the whole record.
    """
    if cycles is None:
        return _of_record(result.report)
    return _of_cycles([cycle for cycle in result.cycles if cycle.cycle_count in cycles])


def _of_record(report: CleanReport) -> ChargeCertainty:
    throughput = report.charge_in_after_ah + report.charge_out_after_ah
    return ChargeCertainty(report.charge_source, throughput, _half_width_ah(report))


def _of_cycles(cycles: Sequence[CycleSummary]) -> ChargeCertainty:
    sources = dict.fromkeys(cycle.charge_source for cycle in cycles if cycle.charge_source)
    throughput = sum(cycle.charge_in_ah + cycle.charge_out_ah for cycle in cycles)
    known = [width for width in map(_half_width_ah, cycles) if width is not None]
    uncertainty = sum(known) if len(known) == len(cycles) else None
    return ChargeCertainty(", ".join(sources), throughput, uncertainty)


def _half_width_ah(bounded: CleanReport | CycleSummary) -> float | None:
    """Return half of the upper - lower bound of charge in + charge out, in A.h; ``None`` where a bound is missing."""
    bounds = (
        bounded.charge_in_low_ah,
        bounded.charge_in_high_ah,
        bounded.charge_out_low_ah,
        bounded.charge_out_high_ah,
    )
    if any(bound is None for bound in bounds):
        return None
    in_low, in_high, out_low, out_high = (bound or 0.0 for bound in bounds)
    return 0.5 * (in_high - in_low + out_high - out_low)


def cycle_certainties(result: CleanResult) -> dict[int, ChargeCertainty]:
    """Return how well the charge of each cycle of a cleaned record is known, by its number."""
    return {cycle.cycle_count: _of_cycles([cycle]) for cycle in result.cycles}


def describe_charge_check(charge_error: float | None, certainty: ChargeCertainty) -> str:
    """Say what a simulation's charge check is worth, where the charge itself is uncertain.

    Args:
        charge_error: of the simulation against the recorded current, share of the throughput; ``None`` = not known.
        certainty: of the charge of the simulated cycles.

    Returns:
        "" where the uncertainty is not known, or small enough to leave unsaid (``SHOWN_SHARE``).
    """
    share = certainty.share
    if share is None or share <= SHOWN_SHARE:
        return ""
    source = f", from {certainty.source}" if certainty.source else ""
    words = f"the charge is known only to ±{100 * share:.2g} % (±{certainty.uncertainty_ah:.3g} A.h{source})"
    if charge_error is None:
        return words
    return f"{words}; that the model agrees with the recorded current to {charge_error:.1g} does not make it right"
