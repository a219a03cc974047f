"""Guess the quantity in a column from its name: the names and units that cyclers and labs write into headers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from .. import columns as c
from ..convert import FACTORS
from ..settings import ColumnMapping
from .clock_columns import with_named_unit
from .csv_values import (
    FIRST_DATE_SECOND,
    ISO,
    LAST_DATE_SECOND,
    Kind,
    find_date_format,
    is_number,
    median_number,
    value_kind,
)
from .number_signs import plain_number

NAMES: Final[dict[str, tuple[str, ...]]] = {
    c.UNIX_TIME: (
        *("unixtime", "datetime", "timestamp", "dateandtime", "absolutetime", "abstime", "realtime", "systemtime"),
        *("systime", "dpttime", "datestamp", "date", "time"),
    ),
    c.TEST_TIME: (
        *("testtime", "totaltime", "cumulativetime", "elapsedtime", "runtime", "progtime", "time", "test", "t"),
        "timestamp",
    ),
    c.STEP_TIME: (
        *("steptime", "timeinstep", "tstep", "stept", "elapsedsteptime", "stepelapsedtime", "steprunningtime"),
        *("relativetime", "step", "time"),
    ),
    c.CYCLE_ID: ("cycleid", "cycleindex", "cyclecount", "cyclenumber", "cycle", "cycleno", "cyc", "cyclec", "cyccount"),
    c.STEP_ID: ("stepid", "stepindex", "stepnumber", "step", "stepno", "ns", "stepcount", "line"),
    c.CURRENT: ("current", "cellcurrent", "cur", "i", "amps"),
    # With a reference electrode, Ewe is one electrode against it, and Ewe-Ece is the cell.
    c.VOLTAGE: (
        *("voltage", "cellvoltage", "ecell", "eweece", "ucell", "vcell", "ewe", "u", "v", "potential", "volts"),
    ),
    c.AMBIENT_TEMPERATURE: (
        *("ambienttemperature", "ambienttemp", "chambertemperature", "chambertemp", "environmenttemperature"),
        *("stationtemperature", "tambient", "tamb", "tchamber"),
    ),
    c.SURFACE_TEMPERATURE: (
        *("surfacetemperature", "surfacetemp", "surfacetemperaturet1", "temperaturet1", "celltemperature", "celltemp"),
        *("temperature", "temp", "tcell", "tsurface", "temperature1", "temp1", "auxtemperature1", "t1", "t"),
    ),
    c.CHARGING_CAPACITY: (
        *("chargingcapacity", "chargecapacity", "chgcap", "chargecap", "qcharge", "chgcapacity", "capacitycharge"),
        *("cyclechargingcapacity", "ahcyccharge", "ahcharge", "ahcha", "stepchargingcapacity"),
    ),
    c.DISCHARGING_CAPACITY: (
        *("dischargingcapacity", "dischargecapacity", "dchgcap", "dischargecap", "qdischarge", "dchgcapacity"),
        *("capacitydischarge", "cycledischargingcapacity", "ahcycdischarge", "ahdischarge", "ahdch"),
        "stepdischargingcapacity",
    ),
    c.STEP_CAPACITY: (
        *("stepcapacity", "stepnetcapacity", "ahstep", "stepah", "qchargedischarge", "capacity", "cap", "amphr"),
        *("amphrs", "amphour", "amphours", "amperehours"),
    ),
    c.NET_CAPACITY: ("netcapacity", "qqo", "qq0", "ahaccu", "ahbalance", "ah"),
    c.STATE: ("state", "status", "steptype", "steptypename", "stepstate", "md", "command"),
}
"""Known names of each raw column: letters and digits in lower case, without unit; the first that a file has is used."""

CELL_NAMES: Final = (
    *("cellid", "cell", "cellname", "barcode", "cellbarcode", "batteryid", "battery", "batteryname", "cellserial"),
    *("serialnumber", "serial", "channel", "channelid", "channelindex", "channelnumber"),
)
"""Known names of columns with cell ids, in the same form."""

TYPICAL: Final[dict[str, tuple[str, ...]]] = {
    c.VOLTAGE: ("voltage_V", "Voltage(V)", "Ecell/V"),
    c.CURRENT: ("current_A", "Current(A)", "I/mA"),
    c.TEST_TIME: ("test_time_s", "Test_Time(s)", "time/s", "datetime", "timestamp"),
}
"""Examples of column names, for error messages."""

_FALLING_SHARE: Final = 0.02
"""Share of the rows after which a number that counts rows may fall: rows out of order. Chosen, not measured."""

_COUNTING_SHARE: Final = 0.25
"""Different numbers per row from which on a rising number counts rows: no cell has four rows only. Chosen, not
measured."""

_COUNTING_SHARE_OF_FEW: Final = 0.9
"""The same for a sample of few rows, or with rows out of order. Chosen, not measured."""

_FEW_VALUES: Final = 40
"""Rows below which a sample is one of few rows. Chosen, not measured."""

_UNITS: Final[dict[str, str]] = {
    **{name: unit for names in FACTORS.values() for unit in names for name in (unit.lower(),)},
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "s"),
    **dict.fromkeys(("millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("minute", "minutes"), "min"),
    **dict.fromkeys(("hour", "hours", "hr", "hrs"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("volt", "volts"), "V"),
    **dict.fromkeys(("millivolt", "millivolts"), "mV"),
    **dict.fromkeys(("ampere", "amperes", "amp", "amps"), "A"),
    **dict.fromkeys(("milliampere", "milliamperes"), "mA"),
    **dict.fromkeys(("μa", "µa"), "µA"),  # Greek mu and the micro sign
    # U+2103, the same character of a Chinese export read as Latin-1, and the rest of a lost degree sign.
    **dict.fromkeys(("celsius", "deg c", "℃", "¡æ", "?", "\N{REPLACEMENT CHARACTER}c"), "degC"),
    "kelvin": "K",
    "1": "",
}
_TARGETS: Final[dict[str, tuple[str, ...]]] = {
    letters: tuple(target for target, names in ({**NAMES, c.CELL_ID: CELL_NAMES}).items() if letters in names)
    for letters in {letters for names in (*NAMES.values(), CELL_NAMES) for letters in names}
}
_UNIT_NAMES: Final = {"amps": "A", "mamps": "mA", "volts": "V", "mvolts": "mV"}
_NEED_UNIT: Final = ("t", "test")
"""Names with several meanings (t: time or temperature; test: time or number), which only a unit distinguishes."""

_NEED_UNIT_AS: Final = ((c.STEP_TIME, "step"), (c.NET_CAPACITY, "ah"))
"""Names that mean a quantity only with its unit: ``Step (Sec)`` is a time, ``Step`` a number."""

_WHOLE_TEST_TIMES: Final = ("totaltime", "cumulativetime")
"""Names of the test time beside which a column ``Time`` is the time within the step (Neware)."""

_COUNTERS: Final = (c.STEP_TIME, c.STEP_CAPACITY, c.NET_CAPACITY)
"""Columns that are only evidence for others: one whose values are no numbers is left out."""

_NUMBER_STARTS: Final = tuple("0123456789+-.")

_EPOCH_ABOVE: Final = (1e11, 1e14, 1e16, 1e17)
_EPOCH_UNITS: Final = ("", "ms", "us", "100ns", "ns")
"""Units of a time since 1970, by its size: above 1e11 it cannot be s (1e9 to 1e10 s are the years 2001 to 2286)."""

DIFFERENCE: Final = " - "
"""Between two names of columns: the second one is subtracted from the first one."""

_ELECTRODE: Final = "ewe"
_COUNTER_ELECTRODE: Final = "ece"
"""Names of the potentials of both electrodes against a reference (BioLogic)."""

_NO_DATES: Final = ("time", "timestamp")
"""Names of a wall clock that mean a test time as often."""

_ELAPSED_SHARE: Final = 0.9
"""The lower quartile of dates over the upper one; the years of a test are few beside those since 1970. Chosen, not
measured."""

_CLOCK_UNIT: Final = re.compile(r"(?:d+[.: ])?h+:m+(?::s+(?:[.,][sfx0]+)?)?")
_BRACKETS: Final = re.compile(r"(.+?)\s*[(\[]([^)\]]*)[)\]]\s*")
_SLASH: Final = re.compile(r"(.+?)\s*/\s*([^/]+)")
_SUFFIX: Final = re.compile(r"(.+)[_ ]([^_ ]+)")


@lru_cache(maxsize=4096)
def names_and_units(name: str) -> tuple[tuple[str, str], ...]:
    """Return the possible readings of a name in a header, the most likely first.

    A unit is in brackets, after a slash, or after the last underscore or space.

    Args:
        name: as in the header, such as ``Voltage (mV)``.

    Returns:
        Pairs (letters and digits in lower case, unit), unit "" where the name has none; empty where the unit in
        brackets or after a slash is unknown (``kA``).
    """
    name = name.strip().lstrip("~#").strip()
    unit = _UNIT_NAMES.get(name.lower())
    if unit is not None:  # Maccor names two columns by their units alone.
        return ((name.lower().removeprefix("m"), unit),)
    for pattern in (_BRACKETS, _SLASH):
        match = pattern.fullmatch(name)
        if match:
            unit = parse_unit(match[2])
            return () if unit is None else ((_letters(match[1]), unit),)
    without_unit = (_letters(name), "")
    match = _SUFFIX.fullmatch(name)
    unit = parse_unit(match[2]) if match else None
    if match is None or unit is None:
        return (without_unit,)
    return ((_letters(match[1]), unit), without_unit)


def possible_targets(name: str) -> set[str]:
    """Return the raw columns that a name in a header may mean, ``cell_id`` included.

    Args:
        name: as in the header; numbers have no targets.
    """
    if name[:1] in _NUMBER_STARTS:
        return set()
    targets = {
        target
        for letters, _ in names_and_units(name)
        for target in _TARGETS.get(letters, ())
        if (target, letters) != (c.STEP_TIME, "time")  # only beside another time
    }
    return {target for target in targets if target == c.CELL_ID or any(_readings(target, name))}


def is_cell_name(name: str) -> bool:
    """Tell whether a column of this name is likely to have cell ids."""
    return any(letters in CELL_NAMES and not unit for letters, unit in names_and_units(name))


def guess_columns(names: Sequence[str], sample: Sequence[Sequence[str]]) -> tuple[ColumnMapping, ...]:
    """Guess the quantity in each column from the names and some values.

    Args:
        names: the names in the header.
        sample: some of the rows; their values distinguish a date from a test time, and seconds from milliseconds.

    Returns:
        One mapping for each raw column that the file has; each column of the file is used once. The unit of a wall
        clock is its date format, such as ``%d.%m.%Y``, unless that is ISO 8601.
    """
    mappings: list[ColumnMapping] = []
    used = {name for name in names if is_cell_name(name)}
    test_time = ""
    for target, known_names in NAMES.items():
        for known, (index, name) in ((k, column) for k in known_names for column in enumerate(names)):
            unit = None if name in used else _readings(target, name).get(known)
            if unit is None:
                continue
            values = [row[index] for row in sample if index < len(row)]
            if not _values_fit(target, known, value_kind(values), values):
                continue
            if target == c.STEP_TIME and known == "time" and test_time not in _WHOLE_TEST_TIMES:
                continue
            if target == c.TEST_TIME:
                test_time = known
            if target == c.UNIX_TIME:
                unit = _time_unit(unit, values)
            mappings.append(ColumnMapping(target, name, unit))
            used.add(name)
            break
    return with_named_unit([_of_the_cell(mapping, names, sample) for mapping in mappings], names, sample)


def _of_the_cell(mapping: ColumnMapping, names: Sequence[str], sample: Sequence[Sequence[str]]) -> ColumnMapping:
    """Return the difference of both electrodes' potentials in place of one electrode's, if the file has both."""
    if mapping.target != c.VOLTAGE or (_ELECTRODE, mapping.unit) not in names_and_units(mapping.column):
        return mapping
    for index, name in enumerate(names):
        values = [row[index] for row in sample if index < len(row)]
        if (_COUNTER_ELECTRODE, mapping.unit) in names_and_units(name) and value_kind(values) == "number":
            return replace(mapping, column=f"{mapping.column}{DIFFERENCE}{name}")
    return mapping


def column_parts(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that a mapped column is made of: itself, or both of a difference.

    Args:
        name: as mapped, such as ``Ewe/V - Ece/V``; a column of the file may have such a name, too.
        names: of the file's columns.
    """
    if name in names:
        return (name,)
    words = name.split(DIFFERENCE)
    for k in range(1, len(words)):
        parts = (DIFFERENCE.join(words[:k]), DIFFERENCE.join(words[k:]))
        if set(parts) <= set(names):
            return parts
    return (name,)


def guess_cell_column(names: Sequence[str], sample: Sequence[Sequence[str]]) -> str | None:
    """Return the name of the column that most likely has cell ids; ``None`` if there is none with a value.

    A column that counts rows has no cell ids, whatever its name.

    Args:
        names: the names in the header.
        sample: some of the rows, in the order of the file.
    """
    for known in CELL_NAMES:
        for index, name in enumerate(names):
            if (known, "") in names_and_units(name):
                values = [row[index].strip() for row in sample if index < len(row) and row[index].strip()]
                if values and (not counts_rows(values) or _has_rows_of_one_time(names, sample)):
                    return name
    return None


def _has_rows_of_one_time(names: Sequence[str], sample: Sequence[Sequence[str]]) -> bool:
    """Tell whether most rows have the time of the row before: those of many cells that are logged at the same time."""
    for index, name in enumerate(names):
        if not possible_targets(name) & {c.TEST_TIME, c.UNIX_TIME}:
            continue
        times = [row[index].strip() for row in sample if index < len(row)]
        same = sum(earlier == later for earlier, later in itertools.pairwise(times) if earlier)
        if 2 * same > len(times):
            return True
    return False


def counts_rows(values: Sequence[str]) -> bool:
    """Tell whether the values of a column count rows: numbers that rise, and soon differ.

    Ids of cells whose rows alternate begin again, and are the same again, where the first cell follows the last one.

    Args:
        values: not empty, in the order of the file; some rows may be missing.
    """
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return False
    falls = sum(later < earlier for earlier, later in itertools.pairwise(numbers))
    if falls > _FALLING_SHARE * len(numbers):
        return False
    share = _COUNTING_SHARE
    if falls or len(numbers) < _FEW_VALUES:
        share = _COUNTING_SHARE_OF_FEW
    return len(set(numbers)) >= max(3.0, share * len(numbers))


def _time_unit(unit: str, values: Sequence[str]) -> str:
    """Return the unit of a wall clock: for a number the named unit or one by its size, for a date its format."""
    if value_kind(values) != "datetime":
        return unit or _EPOCH_UNITS[sum(median_number(values) > most for most in _EPOCH_ABOVE)]
    date = find_date_format(values)
    if date == ISO:
        return ""
    return date


def _values_fit(target: str, known: str, kind: Kind, values: Sequence[str]) -> bool:
    """Tell whether the values of a column can be the quantity of its name."""
    if target in _COUNTERS:
        return kind == "number" or (kind == "duration" and target == c.STEP_TIME)
    if kind == "empty":
        return known not in ("time", "date")
    if kind == "text":  # The name is right and the values are damaged: the reader reports them.
        return known not in ("time", "date", "t", "timestamp")
    if target == c.UNIX_TIME:
        if kind == "datetime":
            return any(":" in value for value in values)
        # Days since 1900 or year 0 are numbers too, but only seconds since 1970 are read.
        return kind == "number" and median_number(values) > 1e8 and not (known in _NO_DATES and _is_elapsed(values))
    if target == c.TEST_TIME:
        return kind in ("number", "duration")
    # States that are numbers (Basytec, Novonix) are internal codes; a column of words is better.
    return kind == "number" and target != c.STATE


def _is_elapsed(values: Sequence[str]) -> bool:
    """Tell whether large numbers count from the begin of a test, and not from 1970.

    They are no date from 1980 to 2200 in any unit, or they spread as no dates of one test do.
    """
    numbers = sorted(plain_number(value.strip()) for value in values if is_number(value.strip()))
    low, middle, high = (numbers[int(share * (len(numbers) - 1))] for share in (0.25, 0.5, 0.75))
    unit = _EPOCH_UNITS[sum(middle > most for most in _EPOCH_ABOVE)] or "s"
    second = middle * FACTORS["second"][unit]
    return not FIRST_DATE_SECOND <= second < LAST_DATE_SECOND or low < _ELAPSED_SHARE * high


def _readings(target: str, name: str) -> dict[str, str]:
    """Return the readings of a name in a header (letters: unit) that fit the target in name and unit."""
    quantity = FACTORS.get(target.rsplit("_", 1)[-1], {})
    return {
        letters: unit
        for letters, unit in reversed(names_and_units(name))
        if letters in NAMES[target] and (unit in quantity or (unit == "" and not _needs_unit(target, letters)))
    }


def _needs_unit(target: str, letters: str) -> bool:
    return letters in _NEED_UNIT or (target, letters) in _NEED_UNIT_AS


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def parse_unit(text: str) -> str | None:
    """Return the unit that a text in a header names.

    Args:
        text: without brackets.

    Returns:
        A key of :data:`kilocell.data.convert.FACTORS`; "" for no text, a pure number or a clock (``hh:mm:ss``);
        ``None`` for an unknown unit.
    """
    text = text.strip().lower()
    if not text or "hh:mm" in text or "h:min" in text or _CLOCK_UNIT.fullmatch(text):
        return ""
    return _UNITS.get(text)
