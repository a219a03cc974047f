"""Load the same record with cellpy and PyProBE, each in its own environment, as their manuals show."""

from __future__ import annotations

from pathlib import Path

CELLPY_INSTRUMENT = """
file_info: {raw_extension: csv}
raw_units: {current: A, charge: Ah, mass: g, voltage: V, energy: Wh, power: W, resistance: Ohm}
normal_headers_renaming_dict:
  data_point_txt: data_point
  datetime_txt: datetime
  test_time_txt: test_time_s
  current_txt: current_A
  voltage_txt: voltage_V
  step_index_txt: step
  cycle_index_txt: cycle
  charge_capacity_txt: charge (Ah)
  discharge_capacity_txt: discharge (Ah)
raw_limits: {current_hard: 1.0e-13, current_soft: 1.0e-5, stable_current_hard: 2.0, stable_current_soft: 4.0,
  stable_voltage_hard: 2.0, stable_voltage_soft: 4.0, stable_charge_hard: 0.001, stable_charge_soft: 5.0,
  ir_change: 1.0e-5}
formatters: {skiprows: 0, sep: ",", header: 0, encoding: utf-8, decimal: ".", thousands: null}
pre_processors: {}
post_processors: {rename_headers: true, set_index: true, convert_date_time_to_datetime: true}
"""


def with_counters(path: Path, target: Path) -> None:
    """Copy the record and add row numbers and a cycler's charge counters, which cellpy needs."""
    import numpy as np
    import pandas as pd

    frame = pd.read_csv(path)
    hours = np.diff(frame["test_time_s"], prepend=0.0) / 3600.0
    for name, sign in (("charge (Ah)", 1.0), ("discharge (Ah)", -1.0)):
        charge = (hours * np.clip(sign * frame["current_A"], 0.0, None)).groupby(frame["cycle"]).cumsum()
        frame[name] = charge.round(6)
    frame.insert(0, "data_point", np.arange(1, len(frame) + 1))
    frame.to_csv(target, index=False)


def load_with_cellpy(path: Path, folder: Path) -> str:
    """Read the file with ``cellpy.get``, which makes the table of steps and the summary of cycles; save it as HDF5."""
    import cellpy

    instrument = folder / "plain_csv.yml"
    instrument.write_text(CELLPY_INSTRUMENT)
    cell = cellpy.get(
        str(path), instrument="local_instrument", instrument_file=str(instrument), mass=1.0, nominal_capacity=1.0
    )
    cell.save(str(folder / "record.h5"))
    return f"cellpy {cellpy.__version__}, {len(cell.data.raw)} rows"


def load_with_pyprobe(path: Path, folder: Path) -> str:
    """Read a generic CSV with ``process_cycler_data``, which names and converts its columns and writes Parquet."""
    import importlib.metadata

    import polars as pl
    from pyprobe.cell import process_cycler_data
    from pyprobe.cyclers import column_maps as maps

    columns = [
        maps.DateTimeMap("datetime", "%Y-%m-%d %H:%M:%S"),
        maps.CastAndRenameMap("Cycle", "cycle", pl.UInt64),
        maps.CastAndRenameMap("Step", "step", pl.UInt64),
        maps.CastAndRenameMap("Time [s]", "test_time_s", pl.Float64),
        maps.CastAndRenameMap("Current [A]", "current_A", pl.Float64),
        maps.CastAndRenameMap("Voltage [V]", "voltage_V", pl.Float64),
        maps.CapacityFromChDchMap("charge (*)", "discharge (*)"),
    ]
    target = folder / "pyprobe.parquet"
    process_cycler_data("generic", str(path), str(target), columns, overwrite_existing=True)
    rows = pl.scan_parquet(target).select(pl.len()).collect().item()
    return f"PyProBE-Data {importlib.metadata.version('PyProBE-Data')}, {rows} rows"
