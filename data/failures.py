"""Why jobs fail, by reason code: what each code means, what to do next, and whether the failure may pass by itself.

This is the one place that says which failures are kept: a job that failed for a reason of its input fails in the same
way as long as nothing that it depends on changes, so it does not run again. Every other failure may pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class FailureKind(NamedTuple):
    """What a reason code stands for.

    Args:
        meaning: a few words, for a heading.
        next_step: what to do, with the command that helps.
        may_pass: whether the same job may succeed the next time, although nothing that its result depends on changed.
    """

    meaning: str
    next_step: str
    may_pass: bool = False


_OTHER_SET: Final = "choose another parameter set: `kilocell parameters`"
_LOOK_AT_RECORD: Final = "look at the record: `kilocell findings --cell CELL`, `kilocell plot --cell CELL --cleaning`"
_FILE_AS_READ: Final = "see how the file is read: `kilocell inspect FILE`; name its columns in [sources.columns]"
_NARROW_BOUNDS: Final = "narrow the bounds of the fit until the set's own values solve"
_REPORT: Final = "please report it, with the log: `kilocell failures --each`"
_AGAIN: Final = "run again"

FAILURES: Final[Mapping[str, FailureKind]] = {
    # simulations
    "left_range": FailureKind(
        "the model left the range of its parameter set",
        f"check nominal_capacity_ah and initial_state in the campaign; if both are right, {_OTHER_SET}",
    ),
    "diverged": FailureKind(
        "the solution is not finite",
        f"check nominal_capacity_ah, and overrides for a wrong power of ten; else {_OTHER_SET}",
    ),
    "did_not_converge": FailureKind(
        "the solver gave up", "simulate the SPMe, too, and see whether it leaves its range; else look at that time"
    ),
    "ended_early": FailureKind(
        "an event of the model ended it", f"check nominal_capacity_ah and initial_state; else {_OTHER_SET}"
    ),
    "charge_mismatch": FailureKind("the model's charge differs from the measured one", _REPORT),
    "missing_current": FailureKind("samples have no current", _LOOK_AT_RECORD),
    "implausible_current": FailureKind(
        "the current is not that of such a cell", "correct its unit or column, or nominal_capacity_ah"
    ),
    "implausible_voltage": FailureKind(
        "the voltage is that of several cells", "divide it by their number before kilocell reads it"
    ),
    "time_order": FailureKind("time does not increase", _LOOK_AT_RECORD),
    "no_voltage": FailureKind("no usable voltage", _FILE_AS_READ),
    "no_initial_state": FailureKind("no state to start from", "give initial_state in the campaign"),
    "initial_state_out_of_range": FailureKind(
        "the parameter set cannot have the cell's voltage", f"{_OTHER_SET}; or give initial_state"
    ),
    "cannot_build": FailureKind(
        "PyBaMM cannot build the model with this set", f"choose other options of the model, or {_OTHER_SET}"
    ),
    "no_such_cycle": FailureKind(
        "the record has no such cycle", "correct the cycles in the campaign: `kilocell cycles --cell CELL`"
    ),
    "nothing_selected": FailureKind(
        "the record has nothing of the selection", "correct select: `kilocell cycles --cell CELL` lists what it has"
    ),
    "no_capacity": FailureKind(
        "no cycle measures the capacity", "name another cycle, or give nominal_capacity_ah as a number"
    ),
    "too_short": FailureKind("a selected cycle has one sample", "select other cycles"),
    # The code of a package can change under the same version.
    "bad_parameter_set": FailureKind("the parameter set cannot be loaded", "correct its file, or the package", True),
    "unknown_parameter": FailureKind(
        "the set has no such parameter", "correct its name: `kilocell parameters SET` lists what it has"
    ),
    # fits
    "bad_bounds": FailureKind("bounds that the set's value cannot have", "give bounds in the parameter's unit"),
    "many_states": FailureKind(
        "one initial state for several runs of cycles", 'leave it out, or set initial_state = "previous_cycle"'
    ),
    "held_out_and_fitted": FailureKind("a step is fitted and held out", "leave it out of one of the two selections"),
    "no_temperature": FailureKind(
        "no temperature to fit to", 'set "thermal" = "lumped", map the column, or remove temperature_kelvin_as_mv'
    ),
    "no_weight": FailureKind("a weight has no effect", "correct weights in [fit.objective]"),
    "no_effect": FailureKind("the voltage does not depend on a parameter", "leave it out of the fit"),
    "no_solution": FailureKind("a start ended where the model has no solution", _NARROW_BOUNDS),
    "no_start": FailureKind("no start ended with a result", f"{_NARROW_BOUNDS}; the starts' own failures say more"),
    # before a simulation
    "no_samples": FailureKind("fewer than two samples", _FILE_AS_READ),
    "no_time": FailureKind("no usable time", _FILE_AS_READ),
    "no_current": FailureKind("no usable current", _FILE_AS_READ),
    "sources_overlap": FailureKind(
        "two files hold the same hours of a cell", "leave out one of them, or give the cells different ids"
    ),
    "not_a_record": FailureKind("a summary, not a record", "leave the file out, and use the record it was made from"),
    "unreadable": FailureKind("a raw file cannot be read", "correct the file, put it back, or remove it from files"),
    "failed": FailureKind("it failed for a reason of its own", "`kilocell failures --each` shows the log"),
    # what may pass
    "missing_library": FailureKind("a library is not installed", "install what the text names, then run again", True),
    "file_changed": FailureKind("a file changed during the run", _AGAIN, True),
    "file_vanished": FailureKind("a file disappeared during the run", "put it back, and run again", True),
    "file_system": FailureKind(
        "the disk or file system refused",
        "free some space, correct permissions, or check the disk; then run again",
        True,
    ),
    "store": FailureKind("a file of the store is missing or damaged", _AGAIN, True),
    "damaged_file": FailureKind("a file of the store was damaged", _AGAIN, True),
    "parameter_set_changed": FailureKind("a parameter file changed during the run", _AGAIN, True),
    "time_limit": FailureKind("it took too long", "raise time_limit_second, or take fewer cycles", True),
    "worker_died": FailureKind(
        "the worker process died",
        "do what the text says, then run again; to see where it dies: `kilocell job KEY --foreground`",
        True,
    ),
    "out_of_memory": FailureKind("not enough memory", "give each worker more memory, or use fewer workers", True),
    "scheduler": FailureKind("the scheduler gave it up", _AGAIN, True),
    "earlier_job": FailureKind("a job that it needs is not done", "see why that job failed", True),
    "unexpected": FailureKind("an unforeseen error", _REPORT, True),
}
"""Each reason code with which a job can fail."""

UNKNOWN: Final = FailureKind("", "`kilocell failures --each` shows the log", True)
"""What is said of a code of another version."""


def failure_kind(code: str) -> FailureKind:
    """Return what a reason code stands for; a code of another version may pass."""
    return FAILURES.get(code, UNKNOWN)


def may_pass(code: str) -> bool:
    """Tell whether a job that failed with this code may succeed the next time, although its digest is the same."""
    return failure_kind(code).may_pass
