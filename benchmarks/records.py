"""Write the files to measure: one record of a million rows, and a long file of many cells that repeats it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = 1_000_000
ROWS_PER_CELL = 100_000


def write_record(path: Path, rows: int = ROWS) -> None:
    """Write a simple cycler export: 1 h each of charge, rest, discharge, rest; one row per second, 7 columns."""
    noise = np.random.default_rng(0).normal(0.0, 1.0, (3, rows))
    time = np.arange(rows) * 1.0
    phase = (time // 3600) % 4
    current = np.select([phase == 0, phase == 1, phase == 2], [1.0, 0.0, -1.0], 0.0) + 2e-4 * noise[0]
    voltage = 3.6 + 0.3 * np.sin(2 * np.pi * time / 14400) + 2e-4 * noise[1]
    pd.DataFrame({
        "datetime": pd.to_datetime(1.7e9 + time, unit="s").strftime("%Y-%m-%d %H:%M:%S"),
        "cycle": (time // 14400 + 1).astype(int),
        "step": (phase + 1).astype(int),
        "test_time_s": time,
        "current_A": current.round(5),
        "voltage_V": voltage.round(5),
        "temperature_C": (25 + 0.1 * noise[2]).round(2),
    }).to_csv(path, index=False)  # fmt: skip


def write_long(record: Path, path: Path, rows: int, interleaved: bool = False) -> None:
    """Write many cells to one CSV: 100 000 rows each, one cell after another, or row by row in turn."""
    header, *lines = record.read_bytes().splitlines()
    cells = max(rows // ROWS_PER_CELL, 1)
    with path.open("wb") as out:
        out.write(b"cell_id," + header + b"\n")
        if interleaved:
            tags = [b"CELL_%04d," % cell for cell in range(cells)]
            for line in lines[:ROWS_PER_CELL]:
                out.write(b"".join(tag + line + b"\n" for tag in tags))
            return
        pieces = [
            b"\n".join(lines[at : at + ROWS_PER_CELL]) + b"\n"
            for at in range(0, len(lines) - ROWS_PER_CELL + 1, ROWS_PER_CELL)
        ]
        for cell in range(cells):
            tag = b"CELL_%04d," % cell
            out.write((tag + pieces[cell % len(pieces)].replace(b"\n", b"\n" + tag))[: -len(tag)])
