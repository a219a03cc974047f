"""The text of a new campaign file: guessed values and a comment on every key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...data.settings import ColumnMapping, SourceSettings
from ...data.text import format_count
from ...jobs.cleaning.guess_cell import SET_WINDOW_VOLT, CellGuess
from ..campaign.errors import format_comment, format_key, quote
from .headers import UnknownTable

OUTSIDE_VOLT: Final = 0.05
"""V: a record within this distance of a set's voltage window is inside it. Chosen, not measured."""


@dataclass(frozen=True, slots=True)
class GuessedSource:
    """One ``[[sources]]``.

    Args:
        settings: how its files are read.
        names: names and globs of its files.
        reasons: why the cell ids are found in this way, a sentence each; empty = the usual way.
    """

    settings: SourceSettings
    names: tuple[str, ...]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnfilledSource:
    """One ``[[sources]]`` whose columns the user has to fill in.

    Args:
        table: its columns.
        names: names and globs of its files.
        is_comment: write it as a comment, because the campaign can run without it.
    """

    table: UnknownTable
    names: tuple[str, ...]
    is_comment: bool


@dataclass(frozen=True, slots=True)
class GuessedCampaign:
    """The guesses that a new campaign file holds.

    Args:
        name: of the campaign.
        sources: how files are read, with their names and globs.
        default: capacity and parameter set of most cells; ``None`` where no record has a charge or discharge.
        cells: cells that differ from the default.
        basis: what the guesses are made from, in words.
        left_out: files that cannot be read, with the reason.
        unfilled: files whose columns the user has to fill in.
    """

    name: str
    sources: tuple[GuessedSource, ...]
    default: CellGuess | None
    cells: tuple[tuple[str, CellGuess], ...]
    basis: str
    left_out: tuple[str, ...] = ()
    unfilled: tuple[UnfilledSource, ...] = ()


_TOP: Final = """\
# A kilocell campaign, written by `kilocell init`. Correct what is marked as a guess, then:
#   kilocell plan    shows what would run
#   kilocell run     cleans, simulates, fits and compares; skips what is up to date

# Name of the campaign in the catalog.
name = {name}
# Folder for all results, relative to this file.
store = "store"
# PyBaMM models to simulate every cell with: SPM, SPMe, DFN. To set options, write each model as a table instead:
#   [[models]]
#   type = "SPMe"
#   name = "SPMe-lumped"
#   options = {{ thermal = "lumped" }}
#   outputs = ["temperature", "soc"]   # stored beside the voltage; see docs/models.md
models = ["SPM", "SPMe", "DFN"]
"""
_CELLS: Final = """\
# Settings of every cell. A table [cells."ID"] below, for one cell or a glob such as "Cell78*", overrides them.
[cells.defaults]
# PyBaMM's parameter sets. {set_reason}.
# Replace it with the set of your cell.
parameter_sets = [{parameter_set}]
{capacity}
# To measure the capacity, write {{ cycle = 2 }} or {{ cycle = "last", of = "charge" }} instead of the number.
# Starting state of a simulation: "rest_voltage" (that of the best rest), {{ soc = 0.5 }}, {{ voltage = 4.1 }} (V), or
# "previous_cycle" (with [simulate] cycles: the state at the end of the previous selected cycle).
initial_state = "rest_voltage"
# Temperature in °C, or "measured": the mean of the measured temperature, else that of the parameter set; "rest": that
# at the end of the rest before the load (for thermal models with a surface temperature only).
temperature_celsius = "measured"
"""
_REST: Final = """\
# Thresholds of the cleaning rules, with their default values.
# [clean]
# rest_current_per_ah = 0.005               # A per A.h; the cell rests below it
# fill_samples = 5                          # longest run of missing samples to fill
# fill_constant_samples = 100               # the same, at constant current or at rest
# missing_charge_share = 0.02               # of the throughput: most charge that missing currents leave unknown
# gap_factor = 20.0                         # a gap is this many times the usual interval (a quarter of it if regular),
# gap_second = 600.0                        # and at least this long, in s
# voltage_limits_volt = [0.5, 5.5]          # V; values outside count as missing
# temperature_limits_celsius = [-60.0, 120.0]
# temperature_jump_celsius = 10.0           # between two samples, and back: the thermocouple was off
# chamber_tolerance_celsius = 2.0           # off the cell's temperature_celsius (else the record's median),
# chamber_second = 1800.0                   # and for longer than this, in s
# voltage_step_volt = 0.01                  # between two samples at the same current: bad contact
# channel_difference_volt = 0.005           # between a rest before and after a new file, restart or gap
# capacity_tolerance = 0.01                 # largest relative difference of the cycler's counters from the current
# capacity_factor = 2.0                     # a cycle cannot hold this many times the nominal capacity
# time_scale_tolerance = 0.05               # largest relative difference of clocks from a unit's factor (ms, min, h)
# clock_tolerance_second = 2.0              # largest drift of wall clock against test time between two rows, in s
# clock_drift = 2e-4                        # largest steady drift of one clock against the other, in s per s
# cycle_turns = 20                          # most turns between charge and discharge in one cycle
# time_limit_second = 3600.0                # to read a raw file or to clean a cell; after it, the job fails
# charge_tolerance = 0.005                  # share of the throughput by which the charge may be uncertain

# Part of each record to simulate. Without this, the whole record is simulated in one go.
# [simulate]
# cycles = "1-5, 100, last"                 # or [1, 2, 100], "every 50", "10-last"; each starts from its own state
#     instead of cycles, the key select takes "cycle 2, discharge", "step 14-16" or "discharge, first 600 s"
# time_limit_second = 3600.0                # of one simulation; after it, the simulation fails and keeps its samples
# compiled = "auto"                         # compile models to machine code: "auto" (if it pays), true or false

# Named changes of parameters, simulated in addition to each parameter set.
# [[variations]]
# name = "slow-negative"
# parameter_sets = ["Chen2020"]             # only of these sets; default: all
# [variations.parameters]
# "Negative particle diffusivity [m2.s-1]" = { scale = 0.5 }      # or { value = 1e-14 }

# A fit of parameters to the measured voltage; write [[fit]] for several. Without a table, use the command line:
#   kilocell fit --cell CELL_A --preset diffusion --starts 8     (also: ohmic, kinetic, balance, ageing)
# [fit]
# name = "diffusivities"                    # the result is the parameter set "Chen2020+diffusivities"
# model = "SPMe"
# parameter_set = "Chen2020"                # default: the cell's first
# cells = ["CELL_A", "Cell78*"]             # ids and globs; default: all
# cycles = "1-3, 5"                         # default: all; or select = "cycle 2, discharge"
# starts = 3                                # number of starts, each with its own initial guess and job
# seed = 1                                  # random seed of the initial guesses
# max_evaluations = 200                     # of the model, for each start
# profiles = true                           # after the fit, also the profile likelihood of each parameter
# [fit.parameters]
# "Negative particle diffusivity [m2.s-1]" = { bounds = [1e-15, 1e-13], scale = "log" }
# "Positive particle diffusivity [m2.s-1]" = { bounds = [1e-16, 1e-13], scale = "log" }

# Where the jobs run.
# [cluster]
# kind = "local"                            # this machine; or "slurm", or a Dask scheduler: "tcp://HOST:PORT"
# workers = 4                               # processes; default: one per core
# threads_per_worker = 1
# memory_limit = "auto"                     # of each worker, such as "4GiB", or "none"
# dashboard_address = "127.0.0.1:8787"      # or "none"
# jobs = 3                                  # Slurm only: number of jobs, or "2..20"; below, what each one requests
# cores = 1
# memory = "4GiB"                           # or "none"
# walltime = "01:00:00"
# partition = "main"
# account = ""
# job_extra = []
# prologue = []                             # lines of shell, such as "module load python"
"""


def campaign_text(guessed: GuessedCampaign) -> str:
    """Return the text of the campaign file: TOML that :func:`kilocell.runner.campaign.campaign.load_campaign` reads."""
    blocks = [_TOP.format(name=quote(guessed.name))]
    if guessed.left_out:
        lines = [format_comment(f"  {reason}") for reason in guessed.left_out]
        blocks.append("\n".join([format_comment("Left out, because they cannot be read:"), *lines, ""]))
    blocks += ["\n".join(_source(source)) for source in guessed.sources]
    blocks += ["\n".join(_unfilled_source(source)) for source in guessed.unfilled]
    blocks.append(_defaults(guessed))
    blocks += [_cell(cell_id, guess) for cell_id, guess in guessed.cells]
    return "\n".join([*blocks, _REST])


def _source(source: GuessedSource) -> Iterator[str]:
    """Yield the lines of one ``[[sources]]`` table."""
    settings = source.settings
    yield from _files(source.names)
    yield format_comment('How to read them: "csv", "digatron", "parquet", "xlsx", "neware" or "auto".')
    yield f"reader = {quote(settings.reader)}"
    yield format_comment(
        'Where the cell id comes from: "stem" (the file name), "column:NAME" or "pattern:REGEX", a regular'
    )
    yield format_comment("expression for the path, with a group (?P<cell_id>…). Files of one cell are joined in time.")
    for reason in source.reasons:
        yield format_comment(f"GUESS: {reason}.")
    yield f"cell_id = {_quote_pattern(settings.cell_id_from)}"
    yield format_comment(
        'Sign of the current: "charge_positive", "discharge_positive" or "auto" (decided by the voltage).'
    )
    yield f"current_sign = {quote(settings.current_sign)}"
    if settings.columns:
        yield format_comment("GUESS from the header: what each column is, and its unit where it is not the usual one.")
        yield "[sources.columns]"
        yield from _columns(settings.columns)
    yield ""


def _files(names: tuple[str, ...]) -> Iterator[str]:
    yield "[[sources]]"
    yield format_comment("Raw files or globs (** is any depth), relative to this file.")
    yield f"files = [{quote(names[0])}]" if len(names) == 1 else _array("files", names)


def _columns(columns: tuple[ColumnMapping, ...]) -> Iterator[str]:
    for mapping in columns:
        column = quote(mapping.column)
        if mapping.unit:
            column = f"{{ column = {column}, unit = {quote(mapping.unit)} }}"
        yield f"{mapping.target} = {column}"


def _unfilled_source(source: UnfilledSource) -> Iterator[str]:
    """Yield the lines of one ``[[sources]]`` table whose columns the user has to fill in."""
    if source.is_comment:
        yield format_comment("A table with columns of unknown names. To use it, fill in its columns and remove the #.")
        yield from (line if line.startswith("#") else f"# {line}".rstrip() for line in _unfilled_lines(source))
    else:
        yield from _unfilled_lines(source)
    yield ""


def _unfilled_lines(source: UnfilledSource) -> Iterator[str]:
    table = source.table
    yield from "\n".join(_files(source.names)).split("\n")
    yield f"reader = {quote(table.reader)}"
    yield format_comment('Where the cell id comes from: "stem" (the file name), "column:NAME" or "pattern:REGEX".')
    yield f"cell_id = {quote('stem' if table.cell is None else f'column:{table.cell}')}"
    yield format_comment("The columns of the file, with their first values:")
    for name, values in zip(table.names, table.values, strict=True):
        yield format_comment(f"  {quote(name)}: {', '.join(values)}")
    yield "[sources.columns]"
    yield from _columns(table.columns)
    yield format_comment('FILL IN the names of these columns, such as voltage_volt = "U_cell", with a unit where')
    yield format_comment('the name has none: current_ampere = { column = "I", unit = "mA" }. A wall clock (date and')
    yield format_comment("time) is unix_time_second, and may replace test_time_second, the time since the beginning.")
    yield from (f'{target} = ""' for target in table.missing)


def _array(key: str, entries: tuple[str, ...]) -> str:
    return "\n".join([f"{key} = [", *(f"    {quote(entry)}," for entry in entries), "]"])


def _quote_pattern(text: str) -> str:
    """Write a text as a TOML string; one with backslashes between single quotes, where they need not be doubled."""
    if "\\" in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return quote(text)


def _defaults(guessed: GuessedCampaign) -> str:
    """Return the table ``[cells.defaults]``."""
    default = guessed.default
    if default is None:
        lines = [
            format_comment("Capacity in A.h: no record shows it. Without a number, the parameter set's is used."),
            format_comment("nominal_capacity_ah = 5.0"),
            *_guessed_keys('parameter_sets = ["Chen2020"]'),
        ]
        reason = "GUESS without evidence: no voltage was seen"
        return _CELLS.format(set_reason=reason, parameter_set=quote("Chen2020"), capacity="\n".join(lines))
    lines = [
        format_comment(f"Capacity in A.h. GUESS: {_capacity_reason(default)}."),
        format_comment(f"It is the most common one of {guessed.basis}."),
        f"nominal_capacity_ah = {default.capacity_ah}",
        *_guessed_keys(*_guessed_values(default)),
    ]
    return _CELLS.format(set_reason=_set_reason(default), parameter_set=_set(default), capacity="\n".join(lines))


def _cell(cell_id: str, guess: CellGuess) -> str:
    """Return the table of one cell."""
    lines = (
        format_comment(f"GUESS, as above: {_capacity_reason(guess)}; {_window(guess)}"),
        f"[cells.{format_key(cell_id)}]",
        f"parameter_sets = [{_set(guess)}]",
        f"nominal_capacity_ah = {guess.capacity_ah}",
        f"guessed = {{ {', '.join(_guessed_values(guess))} }}",
        "",
    )
    return "\n".join(lines)


def _guessed_keys(*values: str) -> Iterator[str]:
    yield format_comment("The guesses above. Results are marked as based on guesses while a value is the same in both")
    yield format_comment("places, and a guessed capacity sets no threshold of cleaning. When you have checked a value,")
    yield format_comment("remove it here.")
    yield f"guessed = {{ {', '.join(values)} }}"


def _guessed_values(guess: CellGuess) -> Iterator[str]:
    yield f"nominal_capacity_ah = {guess.capacity_ah}"
    if guess.parameter_set:
        yield f"parameter_sets = [{_set(guess)}]"


def _set(guess: CellGuess) -> str:
    """Return the entries of ``parameter_sets``."""
    return quote(guess.parameter_set) if guess.parameter_set else ""


def _capacity_reason(guess: CellGuess) -> str:
    """Return where a capacity comes from."""
    number = format_count(guess.half_cycles, "half cycle")
    seen = f"{guess.seen_ah:g} A.h in the largest charge or discharge ({number} with at least half of that)"
    if guess.capacity_ah != guess.seen_ah:
        return f"{seen}, close to the {guess.capacity_ah:g} A.h of {guess.parameter_set}"
    return seen


def _set_reason(guess: CellGuess) -> str:
    """Return why a parameter set is guessed, or why none is."""
    if not guess.parameter_set:
        return f"No set is guessed: {_window(guess)}. Without a set, cells are only cleaned"
    return f"GUESS from the highest voltage alone: {_window(guess)}"


def _window(guess: CellGuess) -> str:
    """Return what the voltages say about the kind of cell."""
    highest = f"{guess.voltage_max_volt:.2f} V"
    if not guess.parameter_set:
        return f"the highest voltage, {highest}, is too low for LFP, NMC, LCO or NCA against graphite"
    kind = "LFP" if guess.parameter_set == "Prada2013" else "NMC, LCO or NCA"
    lower, upper = SET_WINDOW_VOLT[guess.parameter_set]
    text = f"{highest} is typical of {kind}"
    if guess.voltage_max_volt > upper + OUTSIDE_VOLT or guess.voltage_min_volt < lower - OUTSIDE_VOLT:
        record = f"the record has {guess.voltage_min_volt:.2f} to {highest}"
        text += f"; but {record}, and {guess.parameter_set} is made for {lower:g} to {upper:g} V"
    return text
