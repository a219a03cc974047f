"""What a column holds, guessed from its name: the names and units that cyclers and labs write into headers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from .. import columns as c
from ..convert import FACTORS
from ..settings import ColumnMapping
from .csv_values import ISO, Kind, find_date_format, median_number, value_kind

# Letters and digits of the names, in lower case and without unit; the first that a file has is taken.
NAMES: Final[dict[str, tuple[str, ...]]] = {
    c.UNIX_TIME: (
        *("unixtime", "datetime", "timestamp", "dateandtime", "absolutetime", "abstime", "realtime", "systemtime"),
        *("systime", "dpttime", "datestamp", "date", "time"),
    ),
    c.TEST_TIME: (
        *("testtime", "totaltime", "cumulativetime", "elapsedtime", "runtime", "progtime", "time", "test", "t"),
        "timestamp",
    ),
    c.CYCLE_ID: ("cycleid", "cycleindex", "cyclecount", "cyclenumber", "cycle", "cycleno", "cyc", "cyclec", "cyccount"),
    c.STEP_ID: ("stepid", "stepindex", "stepnumber", "step", "stepno", "ns", "stepcount", "line"),
    c.CURRENT: ("current", "cellcurrent", "cur", "i", "amps"),
    c.VOLTAGE: ("voltage", "cellvoltage", "ecell", "ewe", "u", "v", "potential", "volts"),
    c.AMBIENT_TEMPERATURE: (
        *("ambienttemperature", "ambienttemp", "chambertemperature", "chambertemp", "environmenttemperature"),
        *("stationtemperature", "tambient", "tamb", "tchamber"),
    ),
    c.SURFACE_TEMPERATURE: (
        *("surfacetemperature", "surfacetemp", "surfacetemperaturet1", "temperaturet1", "celltemperature", "celltemp"),
        *("temperature", "temp", "tcell", "tsurface", "temperature1", "temp1", "auxtemperature1", "t1", "t"),
    ),
    c.CHARGING_CAPACITY: ("chargingcapacity", "chargecapacity", "chgcap", "chargecap", "qcharge", "chgcapacity"),
    c.DISCHARGING_CAPACITY: (
        *("dischargingcapacity", "dischargecapacity", "dchgcap", "dischargecap", "qdischarge", "dchgcapacity"),
    ),
    c.STATE: ("state", "status", "steptype", "steptypename", "stepstate", "md", "command"),
}
CELL_NAMES: Final = (
    *("cellid", "cell", "cellname", "barcode", "cellbarcode", "batteryid", "battery", "batteryname", "cellserial"),
    *("serialnumber", "serial", "channel", "channelid", "channelindex", "channelnumber"),
)
TYPICAL: Final[dict[str, tuple[str, ...]]] = {
    c.VOLTAGE: ("voltage_V", "Voltage(V)", "Ecell/V"),
    c.CURRENT: ("current_A", "Current(A)", "I/mA"),
    c.TEST_TIME: ("test_time_s", "Test_Time(s)", "time/s", "datetime", "timestamp"),
}
"""Names to show a user who has to give a column one."""

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
    # U+2103, what Latin-1 makes of it in Chinese exports, and what is left where the degree sign was lost
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
_NUMBER_STARTS: Final = tuple("0123456789+-.")

# What seconds since 1970 are counted in, by their size: 1e9 to 1e10 s are the years 2001 to 2286.
_EPOCH_ABOVE: Final = (1e11, 1e14, 1e16, 1e17)
_EPOCH_UNITS: Final = ("", "ms", "us", "100ns", "ns")
_BRACKETS: Final = re.compile(r"(.+?)\s*[(\[]([^)\]]*)[)\]]\s*")
_SLASH: Final = re.compile(r"(.+?)\s*/\s*([^/]+)")
_SUFFIX: Final = re.compile(r"(.+)[_ ]([^_ ]+)")


@lru_cache(maxsize=4096)
def names_and_units(name: str) -> tuple[tuple[str, str], ...]:
    """Return the ways to read a header's name: (letters and digits in lower case, unit), the likeliest first.

    A unit stands in brackets, after a slash or after the last underscore or space; one that is not known
    (``kA``) leaves the name without any reading as a quantity.
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
    match = _SUFFIX.fullmatch(name)
    unit = parse_unit(match[2]) if match else None
    whole = (_letters(name), "")
    return ((_letters(match[1]), unit), whole) if match and unit is not None else (whole,)


def possible_targets(name: str) -> set[str]:
    """Return the raw columns that a header's name may stand for, the cell's id included."""
    if name[:1] in _NUMBER_STARTS:
        return set()
    found = {target for letters, _ in names_and_units(name) for target in _TARGETS.get(letters, ())}
    return {target for target in found if target == c.CELL_ID or any(_readings(target, name))}


def is_cell_name(name: str) -> bool:
    """Tell whether a column of this name is likely to hold cell ids."""
    return any(letters in CELL_NAMES and not unit for letters, unit in names_and_units(name))


def guess_columns(names: Sequence[str], sample: Sequence[Sequence[str]]) -> tuple[ColumnMapping, ...]:
    """Guess which column is what, from names and some values.

    Args:
        names: the header.
        sample: some of the rows; what they hold tells a date from a test time, seconds from milliseconds.

    Returns:
        One mapping for each raw column that was found, each of the file's columns used once. The unit of a wall
        clock that is not ISO 8601 is how its date is written, such as ``%d.%m.%Y``.
    """
    found: list[ColumnMapping] = []
    used = {name for name in names if is_cell_name(name)}
    for target, known_names in NAMES.items():
        for known, (index, name) in ((k, column) for k in known_names for column in enumerate(names)):
            unit = None if name in used else _readings(target, name).get(known)
            if unit is None:
                continue
            values = [row[index] for row in sample if index < len(row)]
            if not _values_fit(target, known, value_kind(values), values):
                continue
            if target == c.UNIX_TIME:
                unit = _time_unit(unit, values)
            found.append(ColumnMapping(target, name, unit))
            used.add(name)
            break
    return tuple(found)


def guess_cell_column(names: Sequence[str], sample: Sequence[Sequence[str]]) -> str | None:
    """Return the column that most likely holds cell ids, or ``None``; one without any value does not count."""
    for known in CELL_NAMES:
        for index, name in enumerate(names):
            if (known, "") in names_and_units(name) and any(row[index].strip() for row in sample if index < len(row)):
                return name
    return None


def _time_unit(unit: str, values: Sequence[str]) -> str:
    """Return the unit of a wall clock: of a number as named or by its size, of a date its form (ISO 8601: "")."""
    if value_kind(values) != "datetime":
        return unit or _EPOCH_UNITS[sum(median_number(values) > most for most in _EPOCH_ABOVE)]
    date = find_date_format(values)
    return "" if date == ISO else date


def _values_fit(target: str, known: str, kind: Kind, values: Sequence[str]) -> bool:
    """Tell whether the values of a column can be what its name says."""
    if kind == "empty":
        return known not in ("time", "date")
    if kind == "text":  # As the name says, but damaged: that is for the reader to note.
        return known not in ("time", "date", "t", "timestamp")
    if target == c.UNIX_TIME:
        if kind == "datetime":
            return any(":" in value for value in values)
        # Days since 1900 or year 0 are numbers too; only seconds since 1970 are taken.
        return kind == "number" and median_number(values) > 1e8
    if target == c.TEST_TIME:
        return kind in ("number", "duration")
    # States that are numbers (Basytec, Novonix) are codes of the cycler's own; a column of words is better.
    return kind == "number" and target != c.STATE


def _readings(target: str, name: str) -> dict[str, str]:
    """Return those readings of a header's name (letters: unit) whose unit the target can have."""
    quantity = FACTORS.get(target.rsplit("_", 1)[-1], {})
    # A lone t is a time or a temperature, a test a time or a number: only the unit tells.
    return {
        letters: unit
        for letters, unit in reversed(names_and_units(name))
        if letters in NAMES[target] and (unit in quantity or (unit == "" and letters not in _NEED_UNIT))
    }


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def parse_unit(text: str) -> str | None:
    """Return the unit that a text in a header names, "" for a pure number or a clock's form; ``None`` if not known."""
    text = text.strip().lower()
    return "" if "hh:mm" in text or "h:min" in text or not text else _UNITS.get(text)
