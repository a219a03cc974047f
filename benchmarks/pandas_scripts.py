"""Clean with pandas as scripts usually do, row by row and column by column, with far fewer rules than kilocell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def _read(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, parse_dates=["datetime"])
    return frame.drop_duplicates().sort_values("test_time_s").reset_index(drop=True)


def clean_with_loops(path: Path, target: Path) -> str:
    """Count steps and cycles, sum the charge, remove spikes and find step types in one loop over the rows."""
    frame = _read(path)
    steps, charges, kinds, voltages = [], [], [], []
    step, charge, last = 1, 0.0, None
    for _, row in frame.iterrows():
        voltage = row["voltage_V"]
        if last is not None:
            if row["step"] != last["step"] or row["cycle"] != last["cycle"]:
                step, charge = step + 1, 0.0
            seconds = row["test_time_s"] - last["test_time_s"]
            charge += seconds * (row["current_A"] + last["current_A"]) / 7200.0
            if abs(voltage - last["voltage_V"]) > 0.5 and abs(row["current_A"] - last["current_A"]) < 0.05:
                voltage = last["voltage_V"]
        kinds.append("charge" if row["current_A"] > 0.005 else "discharge" if row["current_A"] < -0.005 else "rest")
        steps.append(step)
        charges.append(charge)
        voltages.append(voltage)
        last = row
    frame["step_count"], frame["step_charge_ah"], frame["step_type"] = steps, charges, kinds
    frame["voltage_V"] = voltages
    frame.to_parquet(target)
    return f"pandas {pd.__version__}"


def clean_by_columns(path: Path, target: Path) -> str:
    """Do the same without a loop; a rolling median within each step finds the spikes."""
    frame = _read(path)
    frame["step_count"] = 1 + (frame[["step", "cycle"]].diff().abs().sum(axis=1) > 0).cumsum()
    hours = frame["test_time_s"].diff().fillna(0.0) / 3600.0
    mean = (frame["current_A"] + frame["current_A"].shift(fill_value=0.0)) / 2.0
    frame["step_charge_ah"] = (hours * mean).groupby(frame["step_count"]).cumsum()
    smooth = frame.groupby("step_count")["voltage_V"].transform(
        lambda v: v.rolling(5, center=True, min_periods=1).median()
    )
    frame["voltage_V"] = frame["voltage_V"].mask((frame["voltage_V"] - smooth).abs() > 0.02).interpolate()
    middle = frame.groupby("step_count")["current_A"].transform("median")
    frame["step_type"] = np.select([middle > 0.005, middle < -0.005], ["charge", "discharge"], "rest")
    frame.to_parquet(target)
    return f"pandas {pd.__version__}"
