"""The column contract: the names, types and order of a cleaned partition and of a raw table.

Names are the machine names of the Battery Data Format (BDF, Battery Data Alliance), so other tools read
the files as they are. ``current_ampere`` is positive when it charges the cell.
"""

from __future__ import annotations

from typing import Final

TEST_TIME: Final = "test_time_second"
UNIX_TIME: Final = "unix_time_second"
VOLTAGE: Final = "voltage_volt"
CURRENT: Final = "current_ampere"
CYCLE_COUNT: Final = "cycle_count"
STEP_COUNT: Final = "step_count"
STEP_TYPE: Final = "step_type"
CYCLE_ID: Final = "cycle_id"
STEP_ID: Final = "step_id"
AMBIENT_TEMPERATURE: Final = "ambient_temperature_celsius"
SURFACE_TEMPERATURE: Final = "surface_temperature_celsius"
CHARGING_CAPACITY: Final = "charging_capacity_ah"
DISCHARGING_CAPACITY: Final = "discharging_capacity_ah"
STATE: Final = "state"
CELL_ID: Final = "cell_id"
UNREADABLE: Final = "unreadable"
FLAGS: Final = "flags"
SOURCE_INDEX: Final = "source_index"
SOURCE_ROW: Final = "source_row"
WINDOW: Final = "window"
RAW_COLUMNS: Final[dict[str, str]] = {
    UNIX_TIME: "float64",  # s since 1970-01-01 UTC (wall clock of the cycler's computer, taken as UTC)
    TEST_TIME: "float64",  # s, the cycler's own clock
    CYCLE_ID: "float64",  # the file's cycle number, as it stands
    STEP_ID: "float64",  # the file's step number, as it stands
    CURRENT: "float64",  # A, in the file's own sign
    VOLTAGE: "float64",  # V
    AMBIENT_TEMPERATURE: "float64",  # °C
    SURFACE_TEMPERATURE: "float64",  # °C
    CHARGING_CAPACITY: "float64",  # A.h, the cycler's counter
    DISCHARGING_CAPACITY: "float64",  # A.h, the cycler's counter
    STATE: "str",  # the cycler's word for what it does (CHA, DCH, PAU, ...), "" where there is none
    UNREADABLE: "str",  # what stood where a number belongs, as ``column='text'``; "" where all was well
    SOURCE_INDEX: "int32",  # which of the cell's source files, in time order
    SOURCE_ROW: "int64",  # the row in that file, 0 = first data row
}
"""Every column a reader returns, in order. What a file lacks is all NaN (or "" for ``state``)."""

PARTITION_COLUMNS: Final[dict[str, str]] = {
    TEST_TIME: "float64",  # s, from 0, strictly increasing
    UNIX_TIME: "float64",  # s, NaN where the file has no wall clock
    VOLTAGE: "float64",
    CURRENT: "float64",  # positive charges the cell
    CYCLE_COUNT: "int32",  # from 1, without holes
    STEP_COUNT: "int32",  # from 1, unique in the test
    STEP_TYPE: "str",  # see STEP_TYPES
    CYCLE_ID: "float64",
    STEP_ID: "float64",
    AMBIENT_TEMPERATURE: "float64",
    SURFACE_TEMPERATURE: "float64",
    CHARGING_CAPACITY: "float64",
    DISCHARGING_CAPACITY: "float64",
    FLAGS: "int64",  # bit set, see data/rules.py
    SOURCE_INDEX: "int32",
    SOURCE_ROW: "int64",
}
"""Every column of a cleaned partition, in order."""

SIMULATION_COLUMNS: Final[dict[str, str]] = {
    TEST_TIME: "float64",
    "simulated_voltage_volt": "float64",
    "simulated_current_ampere": "float64",  # what the model saw; positive charges
    "voltage_error_volt": "float64",  # simulated - measured; NaN where the measured voltage is missing
    CYCLE_COUNT: "int32",
    STEP_COUNT: "int32",
    STEP_TYPE: "category",
    WINDOW: "category",  # see WINDOWS
}
"""Every column of a simulation's Parquet file: one row for each cleaned sample, at the same times.

The file of a failed simulation ends with its last good sample.
"""

MARKER_STATES: Final = frozenset({"RANGE", "STO"})
"""Words of ``state`` with which a cycler marks its own business: its current range switched, its program ended."""

STEP_TYPES: Final = ("charge", "discharge", "rest", "hold", "pulse")
"""What a cell does in a step: charge and discharge under a current, hold at a voltage, one or more pulses, rest."""

WINDOWS: Final[dict[str, float]] = {"ohmic": 2.0, "kinetic": 20.0, "diffusion": 120.0, "capacity": float("inf")}
"""Windows after a step's start, each up to so many seconds, named for what mostly bends the voltage in it."""

ALL: Final = "all"
"""Any step type, any window."""
