"""The kinds of values in a campaign file, and how each is checked: names, cycles, states, cell ids, sizes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo

from ...data import columns as c
from ...data.convert import FACTORS
from ...data.cycle_selection import CycleSelection, parse_selection
from ...data.fit_settings import PRESETS
from ...data.installed import parameter_set_names
from ...data.names import suggest, suggest_or_list
from ...data.outputs import OUTPUTS
from ...data.settings import MODEL_TYPES
from ...data.step_selection import StepSelection, parse_select
from .gone_files import matches
from .hints import READERS, describe_model, describe_reader, describe_set
from .raw_files import NamedFiles, explain_no_files, find_files, missing_file

_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_WALLTIME: Final = re.compile(r"(\d+-)?\d{1,3}:\d{2}:\d{2}")
_MEMORY: Final = re.compile(r"\d+(\.\d+)?\s*([kKMGT]i?)?B?")
_JOBS: Final = re.compile(r"([1-9]\d*)(?:\.\.([1-9]\d*))?")
_ADDRESS: Final = re.compile(r".*:\d{1,5}")
_SCHEDULER: Final = re.compile(r"(tcp|tls)://.+:\d{1,5}")
_NOT_MAPPED: Final = (c.UNREADABLE, c.SOURCE_INDEX, c.SOURCE_ROW)
"""Raw columns that kilocell itself writes, so that no column of a file can be mapped to them."""

MeasuredTemperature = Literal["ambient", "surface", "rest"]
MEASURED_TEMPERATURES: Final = get_args(MeasuredTemperature)
"""Measured temperatures, besides the mean, that a cell can be simulated with."""

LOWEST_CELSIUS: Final = -60
HIGHEST_CELSIUS: Final = 120
"""Temperatures outside are refused: they are probably kelvin or fahrenheit."""


def parse_cycle_numbers(text: str) -> tuple[int, ...]:
    """Turn cycle numbers and ranges such as ``1-3, 5`` into numbers.

    Returns:
        The numbers in order, each once.

    Raises:
        ValueError: the text is something else, also ``all``, ``last`` or ``every 50``: a fit needs numbers.
    """
    needed = 'must be cycles such as "1" or "1-3, 5", counted from 1'
    try:
        selection = parse_selection(text)
    except ValueError:
        raise ValueError(f"{needed}{_suggest_select(text)}") from None
    is_open = any(last == 0 for _, last in selection.ranges)
    if selection.whole or selection.every or selection.last or is_open:
        raise ValueError(f"{needed}{_suggest_select(text)}")
    numbers: set[int] = set()
    for first, last in selection.ranges:
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


def _known_set(name: str, info: ValidationInfo) -> str:
    own = (info.context or {}).get("parameter_sets", ())
    if name not in own and name not in parameter_set_names():
        raise ValueError(f"unknown parameter set{describe_set(name, own)}")
    return name


def _own_set(name: str) -> str:
    if name in parameter_set_names():
        raise ValueError(f"PyBaMM has a parameter set {name}; give yours another name")
    return _label(name)


def _known_model(name: str) -> str:
    if name not in MODEL_TYPES:
        raise ValueError(f"unknown model{describe_model(name)}")
    return name


def _known_reader(name: str) -> str:
    if name not in READERS:
        raise ValueError(describe_reader(name))
    return name


def _known_output(name: str) -> str:
    if name not in OUTPUTS:
        raise ValueError(f"unknown output{suggest_or_list(name, OUTPUTS)}")
    return name


def _model_option(value: Any) -> Any:
    """Turn arrays into tuples, as PyBaMM needs them; PyBaMM's values for yes and no are texts."""
    if isinstance(value, bool):
        raise ValueError(f'must be text in quotes: "{str(value).lower()}"')
    if isinstance(value, list) and value:
        return tuple(_model_option(entry) for entry in value)
    if not isinstance(value, (str, int)):
        raise ValueError(
            'must be text in quotes, a whole number, or an array of these such as ["swelling only", "none"]'
        )
    return value


def _known_preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"unknown preset{suggest_or_list(name, PRESETS)}")
    return name


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _known_column(name: str) -> str:
    known = [column for column in c.RAW_COLUMNS if column not in _NOT_MAPPED]
    if name not in known:
        raise ValueError(f"unknown column{suggest_or_list(name, known)}")
    return name


def _distinct(names: list[str]) -> list[str]:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ValueError(f"names {repeated[0]} twice; remove one of them")
    return names


def _label(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise ValueError("must be letters, digits, '_', '.' or '-' (64 at most, the first a letter or digit)")
    return name


def _ordered(pair: list[float]) -> list[float]:
    if len(pair) != 2 or not pair[0] < pair[1]:
        raise ValueError("must be two numbers, the lower one first")
    return pair


def _measured_or_number(value: Any) -> Any:
    if value == "measured":
        return None
    if value in MEASURED_TEMPERATURES:
        return value
    if isinstance(value, str):
        raise ValueError(
            'must be a number in °C or "measured" (the mean measured temperature), '
            '"ambient" or "surface" (the measured temperature over time), or "rest" (that of the rest before the load)'
        )
    if isinstance(value, (int, float)) and not LOWEST_CELSIUS <= value <= HIGHEST_CELSIUS:
        raise ValueError(f"must be in °C, from {LOWEST_CELSIUS} to {HIGHEST_CELSIUS}")
    return value


def _state_table(value: Any) -> Any:
    if value == "rest_voltage":
        return {}
    if value == "previous_cycle":
        return {"previous_cycle": True}
    if not isinstance(value, dict) or len(value) != 1 or "previous_cycle" in value:
        near = suggest(value, ("rest_voltage", "previous_cycle")) if isinstance(value, str) else ""
        raise ValueError(f'must be "rest_voltage", {{soc = 0.5}}, {{voltage = 4.1}} or "previous_cycle"{near}')
    soc = value.get("soc")
    if isinstance(soc, (int, float)) and 1 < soc <= 100:
        raise ValueError(f"soc is a fraction from 0 to 1, not a percentage: {{soc = {soc / 100:g}}}")
    return value


def _capacity_table(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not 0 < value < float("inf"):
            raise ValueError("must be greater than 0 A.h, or {cycle = 2}")
        return {"ah": float(value)}
    if not isinstance(value, dict) or "cycle" not in value or "ah" in value:
        raise ValueError('must be a number of A.h, {cycle = 2}, {cycle = "last"} or {cycle = 2, of = "charge"}')
    return value


def _cycle_or_last(value: Any) -> Any:
    if value == "last":
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError('must be a cycle\'s number, counted from 1, or "last"')
    return value


def _selection(value: Any) -> Any:
    if isinstance(value, CycleSelection):
        return value
    if isinstance(value, list) and value and all(isinstance(part, (int, str)) for part in value):
        value = ", ".join(str(part) for part in value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError('must be cycles such as "1-5, 100, last" or [1, 2, 100], "every 50" or "all"')
    try:
        return parse_selection(value)
    except ValueError as error:
        advice = _suggest_select(value)
        raise ValueError(f"{error}{advice}" if advice else str(error)) from None


def _suggest_select(text: str) -> str:
    """Suggest the key ``select`` for a text that it accepts and ``cycles`` does not."""
    try:
        parse_select(text)
    except ValueError:
        return ""
    return f'; for this, write select = "{text}" instead of cycles'


def _select(value: Any) -> Any:
    if isinstance(value, (CycleSelection, StepSelection)):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a text in quotes such as "cycle 2, discharge" or "step 14-16"')
    return parse_select(value)


def _select_text(text: str) -> str:
    parse_select(text)
    return text


def _cycle_numbers(value: Any) -> Any:
    if isinstance(value, str):
        return list(parse_cycle_numbers(value))
    return [value] if isinstance(value, int) else value


def _matching_files(pattern: Any, info: ValidationInfo) -> Any:
    if not isinstance(pattern, str) or not pattern:
        raise ValueError("must be a file or a glob, as text in quotes")
    folder = Path((info.context or {}).get("folder", "."))
    files = find_files(pattern, folder)
    if files:
        return NamedFiles(pattern, tuple(files))
    missing = missing_file(pattern, folder)
    if _named_gone_file(pattern, folder, info):
        return NamedFiles(pattern, () if missing is None else (missing,))
    if missing is None:
        raise ValueError(explain_no_files(pattern, folder))
    return NamedFiles(pattern, (missing,), explain_no_files(pattern, folder))


def _named_gone_file(pattern: str, folder: Path, info: ValidationInfo) -> bool:
    """Tell whether an entry named files of the last run that are gone now; ``scan_and_plan`` says what is left."""
    find_gone = (info.context or {}).get("find_gone")
    return find_gone is not None and any(matches(one.file.path, pattern, folder) for one in find_gone())


def _cell_id_rule(rule: str) -> str:
    form, _, rest = rule.partition(":")
    if form == "pattern" and rest:
        _check_pattern(rest)
    elif rule != "stem" and not (form == "column" and rest):
        raise ValueError('must be "stem", "column:NAME" or "pattern:REGEX" with a group (?P<cell_id>…)')
    return rule


def _check_pattern(regex: str) -> None:
    try:
        groups = re.compile(regex).groupindex
    except re.error as error:
        raise ValueError(f"the pattern is not a valid regular expression: {error}") from error
    if "cell_id" not in groups:
        raise ValueError("the pattern needs a group (?P<cell_id>…)")


def check_unit(column: str, unit: str) -> None:
    """Check the unit of a raw column; that of a wall clock may be the form of its dates, such as ``%d/%m/%Y``.

    Args:
        column: name of the raw column.
        unit: as in the campaign file; ``""`` = the column's own.

    Raises:
        ValueError: the column cannot have this unit; the text gives the nearest unit.
    """
    known = FACTORS.get(column.rsplit("_", 1)[-1], {})
    is_date = column == c.UNIX_TIME and "%" in unit
    if unit and unit not in known and not is_date:
        raise ValueError(f'unknown unit "{unit}" of {column}{suggest_or_list(unit, known)}')


def _cluster_kind(kind: str) -> str:
    if kind not in ("local", "slurm") and not _SCHEDULER.fullmatch(kind):
        raise ValueError(f"must be local, slurm or tcp://HOST:PORT{suggest_or_list(kind, ('local', 'slurm'))}")
    return kind


def _memory_size(text: str) -> str:
    if text != "none" and not _MEMORY.fullmatch(text):
        raise ValueError('must be a size such as "4GiB", or "none"')
    return text


def job_counts(value: int | str) -> tuple[int, int | None]:
    """Return the largest and the least number of Slurm jobs.

    Args:
        value: a number, its digits, or ``2..20``.

    Returns:
        The number and ``None``, or both ends of the range, the larger first.

    Raises:
        ValueError: it is none of these.
    """
    match = _JOBS.fullmatch(str(value))
    if match is None:
        raise ValueError('must be a number of jobs such as 20, or a range such as "2..20"')
    first = int(match[1])
    if match[2] is None:
        return first, None
    if int(match[2]) < first:
        raise ValueError("must be a range from the smaller to the larger number of jobs")
    return int(match[2]), first


def _jobs(value: int | str) -> int | str:
    job_counts(value)
    return value


def _memory_limit(text: str) -> str:
    if text not in ("auto", "none") and not _MEMORY.fullmatch(text):
        raise ValueError('must be "auto", "none" or a size such as "4GiB"')
    return text


def _dashboard_address(text: str) -> str:
    if text != "none" and not _ADDRESS.fullmatch(text):
        raise ValueError('must be HOST:PORT, such as "127.0.0.1:8787", or "none"')
    return text


def _walltime(text: str) -> str:
    if not _WALLTIME.fullmatch(text):
        raise ValueError('must be HH:MM:SS, such as "01:00:00"')
    return text


STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
"""Rules of every table: no unknown keys, no silent conversion (``"5"`` is not a number), nothing infinite."""

Text = Annotated[str, Field(min_length=1)]
Label = Annotated[str, AfterValidator(_label)]
SetName = Annotated[str, AfterValidator(_known_set)]
OwnSetName = Annotated[str, AfterValidator(_own_set)]
SetNames = Annotated[list[SetName], AfterValidator(_distinct)]
ModelType = Annotated[str, AfterValidator(_known_model)]
ReaderName = Annotated[str, AfterValidator(_known_reader)]
OutputName = Annotated[str, AfterValidator(_known_output)]
ModelOption = Annotated[Any, BeforeValidator(_model_option)]
Points = Annotated[int, Field(ge=2, le=1000)]
RawColumn = Annotated[str, AfterValidator(_known_column)]
Limits = Annotated[list[float], AfterValidator(_ordered)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Preset = Annotated[str, AfterValidator(_known_preset)]
OneOrMore = BeforeValidator(_as_list)
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]
Celsius = Annotated[float | MeasuredTemperature | None, BeforeValidator(_measured_or_number)]
StateForm = BeforeValidator(_state_table)
CapacityForm = BeforeValidator(_capacity_table)
CycleOrLast = Annotated[int, BeforeValidator(_cycle_or_last)]
Selection = Annotated[CycleSelection, BeforeValidator(_selection)]
Select = Annotated[CycleSelection | StepSelection, BeforeValidator(_select)]
SelectText = Annotated[str, AfterValidator(_select_text)]
Cycles = Annotated[list[Count], BeforeValidator(_cycle_numbers)]
MatchingFiles = Annotated[NamedFiles, BeforeValidator(_matching_files)]
CellIdRule = Annotated[str, AfterValidator(_cell_id_rule)]
ClusterKind = Annotated[str, AfterValidator(_cluster_kind)]
JobCount = Annotated[int | str, AfterValidator(_jobs)]
MemorySize = Annotated[str, AfterValidator(_memory_size)]
MemoryLimit = Annotated[str, AfterValidator(_memory_limit)]
DashboardAddress = Annotated[str, AfterValidator(_dashboard_address)]
Walltime = Annotated[str, AfterValidator(_walltime)]
