"""Names, types and order of the columns of raw tables, cleaned partitions and simulations.

Names are the machine names of the Battery Data Format (BDF, Battery Data Alliance), so other tools can read
the files directly. ``current_ampere`` is positive when it charges the cell.
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
STEP_TIME: Final = "step_time_second"
STEP_CAPACITY: Final = "step_capacity_ah"
NET_CAPACITY: Final = "net_capacity_ah"
STATE: Final = "state"
CELL_ID: Final = "cell_id"
MODEL: Final = "model"
PARAMETER_SET: Final = "parameter_set"
UNREADABLE: Final = "unreadable"
FLAGS: Final = "flags"
SOURCE_INDEX: Final = "source_index"
SOURCE_ROW: Final = "source_row"
WINDOW: Final = "window"
RAW_COLUMNS: Final[dict[str, str]] = {
    UNIX_TIME: "float64",  # s since 1970-01-01 UTC (wall clock of the cycler's computer, taken as UTC)
    TEST_TIME: "float64",  # s, the cycler's own clock
    CYCLE_ID: "float64",  # the file's cycle number, unchanged
    STEP_ID: "float64",  # the file's step number, unchanged
    CURRENT: "float64",  # A, with the sign of the file
    VOLTAGE: "float64",  # V
    AMBIENT_TEMPERATURE: "float64",  # °C
    SURFACE_TEMPERATURE: "float64",  # °C
    CHARGING_CAPACITY: "float64",  # A.h, the cycler's counter
    DISCHARGING_CAPACITY: "float64",  # A.h, the cycler's counter
    STEP_TIME: "float64",  # s since the step began
    STEP_CAPACITY: "float64",  # A.h, one counter of both directions from each step or half cycle on, signed or not
    NET_CAPACITY: "float64",  # A.h, charge minus discharge over the whole test, unless the cycler resets it
    STATE: "str",  # what the cycler does, in its own words (CHA, DCH, PAU, ...); "" where the file does not say
    UNREADABLE: "str",  # text found in place of a number, as ``column='text'``; "" where all values were read
    SOURCE_INDEX: "int32",  # which of the cell's source files, in time order
    SOURCE_ROW: "int64",  # the row in that file, 0 = first data row
}
"""All columns that a reader returns, in order. A column that the file does not have is all NaN ("" for ``state``)."""

RULE: Final = "rule"
QUARANTINE_COLUMNS: Final[dict[str, str]] = {**RAW_COLUMNS, RULE: "str"}
"""All columns of quarantined rows, in order, after ``cell_id``: the raw values, and the rule that took the row out."""

PARTITION_COLUMNS: Final[dict[str, str]] = {
    TEST_TIME: "float64",  # s, from 0, strictly increasing
    UNIX_TIME: "float64",  # s, NaN where the file has no wall clock
    VOLTAGE: "float64",
    CURRENT: "float64",  # positive charges the cell
    CYCLE_COUNT: "int32",  # from 1, consecutive
    STEP_COUNT: "int32",  # from 1, unique in the test
    STEP_TYPE: "str",  # see STEP_TYPES
    CYCLE_ID: "float64",
    STEP_ID: "float64",
    AMBIENT_TEMPERATURE: "float64",
    SURFACE_TEMPERATURE: "float64",
    CHARGING_CAPACITY: "float64",
    DISCHARGING_CAPACITY: "float64",
    FLAGS: "int64",  # one bit for each cleaning rule, see data/rules.py
    SOURCE_INDEX: "int32",
    SOURCE_ROW: "int64",  # NO_SOURCE_ROW: the sample is a step edge that cleaning inserted
}
"""All columns of a cleaned partition, in order, after ``cell_id``."""

IDENTITY: Final = (CELL_ID, MODEL, PARAMETER_SET)
"""First columns of the files of a store: whose samples they are, the same text in every row.

``cleaned/`` and ``quarantine/`` have ``cell_id`` alone, ``simulations/`` all three. They are for programs that read
many files as one table. kilocell knows them from the catalog and does not read them. Earlier files do not have them.
"""

NO_SOURCE_ROW: Final = -1
"""``source_row`` of an inserted sample: its current is the cell's, but nobody measured it; it is no measurement."""

SIMULATION_COLUMNS: Final[dict[str, str]] = {
    TEST_TIME: "float64",
    "simulated_voltage_volt": "float64",
    "simulated_current_ampere": "float64",  # the current of the model; positive charges
    "voltage_error_volt": "float64",  # simulated - measured; NaN where the measured voltage is missing
    CYCLE_COUNT: "int32",
    STEP_COUNT: "int32",
    STEP_TYPE: "category",
    WINDOW: "category",  # see WINDOWS
}
"""Columns of a simulation's Parquet file after :data:`IDENTITY`: one row for each cleaned sample, at the same times.

The file of a failed simulation ends with its last good sample.
"""

MARKER_STATES: Final = frozenset({"RANGE", "STO"})
"""Values of ``state`` in cycler event rows: RANGE = the current range was switched, STO = the program ended."""

STEP_TYPES: Final = ("charge", "discharge", "rest", "hold", "pulse")
"""Types of steps: charge or discharge under a current, rest, hold at a voltage, one or more pulses."""

WINDOWS: Final[dict[str, float]] = {"ohmic": 2.0, "kinetic": 20.0, "diffusion": 120.0, "capacity": float("inf")}
"""Windows after the start of a step, with the end of each (s), named after what dominates the voltage change in it."""

ALL: Final = "all"
"""Stands for any step type, and for any window."""
