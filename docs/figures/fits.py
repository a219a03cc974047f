"""Draw the figures of docs/fitting.md: make a synthetic cell, fit it with a campaign, and copy the store's figures.

Usage: python docs/figures/fits.py [--out docs/images]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

CAMPAIGN = """
name = "figures"
models = ["SPMe"]
[[sources]]
files = ["made/raw_cycling_data.csv"]
reader = "csv"
cell_id = "column:cell_id"
[sources.columns]
unix_time_second = "datetime"
cycle_id = "cycle"
step_id = "step"
current_ampere = { column = "current_A", unit = "A" }
voltage_volt = { column = "voltage_V", unit = "V" }
surface_temperature_celsius = { column = "temperature_C", unit = "C" }
[cells.defaults]
parameter_sets = ["Chen2020"]
nominal_capacity_ah = 5.0
temperature_celsius = "measured"
[[fit]]
name = "kinetic-and-diffusion"
model = "SPMe"
presets = ["kinetic", "diffusion"]
cycles = [1]
validation_cycles = [2]
starts = 6
profiles = true
"""
FIT = "kinetic-and-diffusion"
PAGES = ("_starts", "_uncertainty")


def kilocell(*arguments: str, folder: Path) -> None:
    """Run a kilocell command in a folder."""
    environment = os.environ | {"PYBAMM_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "kilocell.runner", *arguments], cwd=folder, env=environment, check=True)


def main() -> None:
    """Fit the cell and copy its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "images")
    out = parser.parse_args().out.absolute()
    with TemporaryDirectory() as made:
        folder = Path(made)
        kilocell("synthesize", "--cells", "1", "--out", "made", "--quiet", folder=folder)
        (folder / "campaign.toml").write_text(CAMPAIGN, encoding="utf-8")
        kilocell("run", "campaign.toml", "--quiet", folder=folder)
        for page in PAGES:
            drawn = folder / "store" / "figures" / f"fit_{FIT}_CELL_A{page}.png"
            path = out / f"fit{page}.png"
            with Image.open(drawn) as picture:  # 256 colours make a file half as large
                picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
