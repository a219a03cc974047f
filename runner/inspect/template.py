"""The text of a new campaign file: guessed values and a comment on every key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...data.settings import SourceSettings
from ...jobs.cleaning.guess_cell import CellGuess
from ..campaign.errors import format_comment, format_key, quote


@dataclass(frozen=True, slots=True)
class GuessedCampaign:
    """What a new campaign says.

    Args:
        sources: how files are read, with the globs that find them.
        default: what most cells are; ``None`` where no record shows a charge or discharge.
        cells: those that are something else.
        basis: what the guesses of cells come from, in words.
        left_out: files that cannot be read, with the reason.
    """

    name: str
    sources: tuple[tuple[SourceSettings, tuple[str, ...]], ...]
    default: CellGuess | None
    cells: tuple[tuple[str, CellGuess], ...]
    basis: str
    left_out: tuple[str, ...] = ()


_TOP: Final = """\
# A kilocell campaign, written by `kilocell init`. Correct what is marked as a guess, then:
#   kilocell plan    shows what would run
#   kilocell run     cleans, simulates, fits and compares; what is done already is not done again

# Name of the campaign, as the catalog keeps it.
name = {name}
# Folder for all results, relative to this file.
store = "store"
# PyBaMM models that every cell is simulated with: SPM, SPMe, DFN. With options, write each as a table instead:
#   [[models]]
#   type = "SPMe"
#   name = "SPMe-lumped"
#   options = {{ thermal = "lumped" }}
models = ["SPM", "SPMe", "DFN"]
"""
_CELLS: Final = """\
# What holds for every cell; [cells."ID"] below, for one cell or a glob such as "Cell78*", goes before it.
[cells.defaults]
# PyBaMM's parameter sets. GUESS from the highest voltage alone: {set_reason}; give the one of your cell.
parameter_sets = [{parameter_set}]
{capacity}
# The capacity may also be measured: {{ cycle = 2 }} or {{ cycle = "last", of = "charge" }} in place of the number.
# Start of a simulation: "rest_voltage" (the first rest's voltage), {{ soc = 0.5 }}, {{ voltage = 4.1 }} (V), or
# "previous_cycle" (with [simulate] cycles: where the selected cycle before ended).
initial_state = "rest_voltage"
# Temperature in °C, or "measured": the mean of what the files hold, else the parameter set's own.
temperature_celsius = "measured"
"""
_REST: Final = """\
# Thresholds of the cleaning rules; these are the usual ones.
# [clean]
# rest_current_per_ah = 0.005               # A per A.h; below it the cell rests
# fill_samples = 5                          # longest run of missing samples that is filled
# fill_constant_samples = 100               # ... of a constant current or a rest
# gap_factor = 20.0                         # a gap is this many times the usual interval (regular: a quarter),
# gap_second = 600.0                        # and at least this long, in s
# voltage_limits_volt = [0.5, 5.5]          # V; what lies outside is taken as missing
# temperature_limits_celsius = [-60.0, 120.0]
# temperature_jump_celsius = 10.0           # between two samples, and back: the thermocouple was off
# chamber_tolerance_celsius = 2.0           # off the cell's temperature_celsius (else the record's median),
# chamber_second = 1800.0                   # and for longer than this, in s
# voltage_step_volt = 0.01                  # between two samples under one current: a contact
# channel_difference_volt = 0.005           # between a rest before and after a new file, restart or gap
# capacity_tolerance = 0.01                 # by which the cycler's counters may differ from the current
# capacity_factor = 2.0                     # times the nominal capacity, which no cycle can hold
# time_scale_tolerance = 0.05               # share by which clocks may differ from a unit's factor (ms, min, h)
# clock_tolerance_second = 2.0              # by how much wall clock and test time may drift apart between two rows
# clock_drift = 2e-4                        # s per s by which one of them may run faster
# cycle_turns = 20                          # turns between charge and discharge that one cycle may have

# Which cycles are simulated; the whole record in one go, as ageing models need it, when left out.
# [simulate]
# cycles = "1-5, 100, last"                 # or [1, 2, 100], "every 50", "10-last": each from a state of its own
# time_limit_second = 3600.0                # for each simulation; beyond it has failed, with what was reached
# compiled = "auto"                         # models as machine code: where it pays; true or false decide

# Named changes of parameters, simulated beside each parameter set.
# [[variations]]
# name = "slow-negative"
# parameter_sets = ["Chen2020"]             # only of these; all when left out
# [variations.parameters]
# "Negative particle diffusivity [m2.s-1]" = { scale = 0.5 }      # or { value = 1e-14 }

# A fit of parameters to the measured voltage; several as [[fit]]. Without a table, from the command line:
#   kilocell fit --cell CELL_A --preset diffusion --starts 8     (also: ohmic, kinetic, balance, ageing)
# [fit]
# name = "diffusivities"                    # the result is the parameter set "Chen2020+diffusivities"
# model = "SPMe"
# parameter_set = "Chen2020"                # the cell's first when left out
# cells = ["CELL_A", "Cell78*"]             # ids and globs; all when left out
# cycles = "1-3, 5"                         # all when left out
# starts = 3                                # number of first guesses, each a job of its own
# seed = 1                                  # of the first guesses
# max_evaluations = 200                     # of the model, for each start
# profiles = true                           # how the cost rises around each value, when the fit is done
# [fit.parameters]
# "Negative particle diffusivity [m2.s-1]" = { bounds = [1e-15, 1e-13], scale = "log" }
# "Positive particle diffusivity [m2.s-1]" = { bounds = [1e-16, 1e-13], scale = "log" }

# Where the jobs run.
# [cluster]
# kind = "local"                            # this machine; or "slurm", or a Dask scheduler: "tcp://HOST:PORT"
# workers = 4                               # processes; one for each core when left out
# threads_per_worker = 1
# memory_limit = "auto"                     # for each worker, such as "4GiB", or "none"
# dashboard_address = "127.0.0.1:8787"      # or "none"
# jobs = 3                                  # for Slurm: number of Slurm jobs, and what each asks for
# cores = 1
# memory = "4GiB"
# walltime = "01:00:00"
# partition = "main"
# account = ""
# job_extra = []
"""


def campaign_text(guessed: GuessedCampaign) -> str:
    """Write the campaign as TOML that :func:`kilocell.runner.campaign.campaign.load_campaign` reads."""
    blocks = [_TOP.format(name=quote(guessed.name))]
    if guessed.left_out:
        lines = [format_comment(f"  {reason}") for reason in guessed.left_out]
        blocks.append("\n".join([format_comment("Left out, since they cannot be read:"), *lines, ""]))
    blocks += ["\n".join(_source(settings, names)) for settings, names in guessed.sources]
    blocks.append(_defaults(guessed))
    blocks += [_cell(cell_id, guess) for cell_id, guess in guessed.cells]
    return "\n".join([*blocks, _REST])


def _source(settings: SourceSettings, names: tuple[str, ...]) -> Iterator[str]:
    yield "[[sources]]"
    yield format_comment("Raw files or globs (** is any depth), relative to this file.")
    yield f"files = [{quote(names[0])}]" if len(names) == 1 else _array("files", names)
    yield format_comment('How they are read: "csv", "digatron", "parquet", "xlsx", "neware" or "auto".')
    yield f"reader = {quote(settings.reader)}"
    yield format_comment(
        'Where a cell\'s id comes from: "stem" (the file\'s name), "column:NAME" or "pattern:REGEX", a regular'
    )
    yield format_comment(
        "expression found in the path, with a group (?P<cell_id>…). Files of one cell are joined in time."
    )
    yield f"cell_id = {quote(settings.cell_id_from)}"
    yield format_comment(
        'How the current is signed: "charge_positive", "discharge_positive" or "auto" (told from the voltage).'
    )
    yield f"current_sign = {quote(settings.current_sign)}"
    if settings.columns:
        yield format_comment(
            "GUESS from the header: which of the file's columns is what, and its unit where it is another."
        )
        yield "[sources.columns]"
        for mapping in settings.columns:
            column = quote(mapping.column)
            entry = f"{{ column = {column}, unit = {quote(mapping.unit)} }}" if mapping.unit else column
            yield f"{mapping.target} = {entry}"
    yield ""


def _array(key: str, entries: tuple[str, ...]) -> str:
    return "\n".join([f"{key} = [", *(f"    {quote(entry)}," for entry in entries), "]"])


def _defaults(guessed: GuessedCampaign) -> str:
    default = guessed.default
    if default is None:
        capacity = format_comment("Capacity in A.h: no record shows one; without it, the parameter set's own.")
        capacity += "\n" + format_comment("nominal_capacity_ah = 5.0")
        return _CELLS.format(set_reason="none was seen", parameter_set=quote("Chen2020"), capacity=capacity)
    how = "largest charge that went one way, or the set's own where that is near"
    capacity = format_comment(f"Capacity in A.h. GUESS: {how}; median of {guessed.basis}.")
    capacity += f"\nnominal_capacity_ah = {default.capacity_ah}"
    return _CELLS.format(set_reason=_reason(default), parameter_set=quote(default.parameter_set), capacity=capacity)


def _cell(cell_id: str, guess: CellGuess) -> str:
    lines = (
        format_comment("GUESS, as above: " + _reason(guess)),
        f"[cells.{format_key(cell_id)}]",
        f"parameter_sets = [{quote(guess.parameter_set)}]",
        f"nominal_capacity_ah = {guess.capacity_ah}",
    )
    return "\n".join([*lines, ""])


def _reason(guess: CellGuess) -> str:
    kind = "LFP" if guess.parameter_set == "Prada2013" else "NMC, LCO or NCA"
    return f"{guess.voltage_max_volt:.2f} V, as {kind} has"
