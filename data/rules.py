"""The cleaning rules by their stable code, their bit in the column ``flags``, and their meaning.

The functions that apply the rules are in ``jobs/cleaning/``; ``jobs/cleaning/clean.py`` has their order. Catalog,
figures and exports use only this list. A bit is never reused for another rule, because stored partitions carry it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from .arrays import Integers, Mask

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One cleaning rule, without the function that applies it."""

    code: str
    """Stable name, such as ``time_gap``: part of receipts, catalog and command line."""

    bit: int
    """Position of its bit in ``flags``, from 0."""

    severity: Severity
    meaning: str
    """What the rule finds, and what it does, in one line."""


RULES: Final[tuple[Rule, ...]] = (
    Rule("time_missing", 0, "error", "row without a time; quarantined"),
    Rule("time_order", 1, "warning", "rows out of time order; sorted"),
    Rule("time_restart", 2, "warning", "the cycler's clock restarted; joined to what came before"),
    Rule("time_gap", 3, "warning", "no samples for much longer than usual (power cut); current taken as zero"),
    Rule("duplicate_row", 4, "warning", "row written twice; the copy quarantined"),
    Rule("duplicate_time", 5, "warning", "two different rows at one time; the one that fits less well is quarantined"),
    Rule("number_unreadable", 6, "warning", "text where a number belongs; taken as missing"),
    Rule("voltage_missing", 7, "warning", "voltage missing; short runs interpolated within the step"),
    Rule(
        "current_missing",
        8,
        "warning",
        "current missing, or a number for no value; short runs filled by the step's control",
    ),
    Rule("temperature_missing", 9, "info", "temperature missing; left missing"),
    Rule("voltage_spike", 10, "warning", "single voltage far from its neighbours; interpolated"),
    Rule("current_spike", 11, "warning", "single current far from its neighbours; interpolated"),
    Rule("voltage_range", 12, "error", "voltage that a cell cannot have; taken as missing"),
    Rule("temperature_range", 13, "warning", "temperature that a chamber cannot have; taken as missing"),
    Rule("lost_contact", 14, "error", "voltage jumps to a limit, or current vanishes within a step; taken as missing"),
    Rule("step_glitch", 15, "warning", "wrong step number for a few rows inside another step; corrected"),
    Rule("cycle_jump", 16, "info", "cycle numbers jump, fall back or do not start at 1; renumbered"),
    Rule("current_offset", 17, "warning", "current is not zero at rest; subtracted where all rests agree"),
    Rule("current_sign", 18, "info", "current was positive for discharge or unsigned; sign corrected"),
    Rule("no_discharge", 19, "warning", "the record has no discharge"),
    Rule("step_renumbered", 20, "info", "step numbers do not start at 1 or skip; renumbered"),
    Rule("time_resolution", 21, "info", "several valid rows at one time; separated by a millisecond or less"),
    Rule("marker_row", 22, "info", "cycler event row (range switch, program end); quarantined"),
    Rule("temperature_jump", 23, "warning", "temperature jumps away and back (thermocouple off); taken as missing"),
    Rule("temperature_stuck", 24, "warning", "temperature exactly constant under current where it moves elsewhere"),
    Rule("temperature_noise", 25, "warning", "temperature far noisier than usual (loose thermocouple)"),
    Rule("chamber_off", 26, "warning", "chamber away from its setpoint for a long time"),
    Rule("capacity_counter", 27, "warning", "the cycler's counter and the integrated current differ"),
    Rule("capacity_excess", 28, "error", "more charge within a cycle than the cell can hold"),
    Rule("impedance_row", 29, "info", "row of an impedance measurement; quarantined"),
    Rule("voltage_stuck", 30, "warning", "voltage exactly constant under current, outside a voltage hold"),
    Rule("time_scale", 31, "warning", "time in ms, min, h or their inverses instead of s; converted"),
    Rule(
        "wall_clock",
        32,
        "warning",
        "the wall clock disagrees with the test time (daylight saving, time zone, reset, drift)",
    ),
    Rule(
        "step_time", 33, "warning", "the clock restarts in each step, or is zero, missing or coarse; joined or refined"
    ),
    Rule("unit_scale", 35, "warning", "numbers in another unit (mV, mA, uA, mAh, K, °F) than declared; converted"),
    Rule("voltage_step", 36, "warning", "lasting voltage step between two samples at unchanged current"),
    Rule(
        "channel_change",
        37,
        "warning",
        "different rest voltage after a new file, restart or gap, although no charge passed",
    ),
    Rule("aborted_test", 38, "warning", "the record ends in the middle of a step or cycle"),
    Rule("rest_only", 39, "warning", "the cell rests throughout, or its current is missing; nothing to simulate"),
    Rule("file_order", 43, "info", "what shows the order of a cell's files, what contradicts it, and files left out"),
    Rule("time_uncertain", 44, "warning", "nothing shows the unit of the test time, and s is not plausible; left"),
    Rule(
        "time_stamp", 45, "warning", "the time of a row or a few contradicts the rows around them; placed between these"
    ),
    Rule("voltage_placeholder", 47, "error", "0 V or one exact number under every current; taken as missing"),
    Rule("step_edge", 40, "info", "sample inserted at a step's edge, between two rows; it has no source row"),
    Rule("charge_uncertain", 41, "warning", "the charge between two rows is not known from the file; bounds given"),
    Rule(
        "charge_balance",
        42,
        "error",
        "more charge out than was ever in the cell, or in than it can hold, by the whole record",
    ),
)
RULES_BY_CODE: Final[dict[str, Rule]] = {rule.code: rule for rule in RULES}


def flag_bit(code: str) -> int:
    """Return the value of a rule's flag, ``1 << bit``.

    Args:
        code: the code of the rule.

    Raises:
        KeyError: there is no such rule.
    """
    return 1 << RULES_BY_CODE[code].bit


def is_inserted(flags: Integers) -> Mask:
    """Tell which samples cleaning inserted at a step's edge (rule ``step_edge``), shape (n,).

    Their current is the cell's, their voltage is interpolated, and they have no source row
    (``data.columns.NO_SOURCE_ROW``): they carry charge, but they are no measurement.

    Args:
        flags: the rules' bits, shape (n,).
    """
    inserted: Mask = (flags & flag_bit("step_edge")) != 0
    return inserted
