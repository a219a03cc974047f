"""``kilocell slides``: of a cell cleaned as a run cleans it, to a file and to the terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_receipt
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.cli import cli
from kilocell.runner.plan.scan import record_sources
from kilocell.runner.run.run_campaign import scan_and_plan
from kilocell.runner.worker.run_job import run_job
from kilocell.sqlite.catalog import Catalog

CAMPAIGN = """
name = "talk $1"
models = ["SPM"]
[[sources]]
files = ["raw/*.csv"]
reader = "csv"
cell_id = "stem"
current_sign = "charge_positive"
[sources.columns]
test_time_second = { column = "time", unit = "s" }
cycle_id = "cycle"
step_id = "step"
current_ampere = { column = "current", unit = "A" }
voltage_volt = { column = "voltage", unit = "V" }
[cells.defaults]
parameter_sets = ["Chen2020"]
nominal_capacity_ah = 2.0
"""
SPIKE_VOLT = 9.7531


def write_cell(path: Path) -> None:
    """A cycle of charge, rest and discharge with a spike and a copied row."""
    step = np.repeat([1.0, 2.0, 3.0], 120)
    time = 10.0 * np.arange(len(step))
    current = np.choose(step.astype(int) - 1, [1.0, 0.0, -1.0])
    voltage = 3.7 + 0.3 * np.cumsum(current) / 360.0 + 0.05 * current
    voltage += 0.0005 * np.random.default_rng(0).standard_normal(len(time))
    voltage[60] = SPIKE_VOLT
    frame = pd.DataFrame({"time": time, "cycle": 1.0, "step": step, "current": current, "voltage": voltage.round(5)})
    path.parent.mkdir(exist_ok=True)
    frame.iloc[[*range(200), 199, *range(200, len(frame))]].to_csv(path, index=False)


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two cleaned cells."""
    folder = tmp_path_factory.mktemp("talk")
    for name in ("a_first", "b_second"):
        write_cell(folder / "raw" / f"{name}.csv")
    (folder / "campaign.toml").write_text(CAMPAIGN)
    campaign = load_campaign(folder / "campaign.toml")
    scanned, jobs = scan_and_plan(campaign)[:2]
    store = Store(campaign.store)
    with Catalog.open(store.catalog) as catalog:
        record_sources(catalog, scanned)
        for job in jobs:
            if job.kind == "clean":
                assert run_job(str(store.root), job).status == "done"
                receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
                assert receipt is not None
                catalog.record(receipt, None)
    return store


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["slides", *words])


def test_the_terminal_gets_the_text_with_a_real_stretch(cleaned: Store) -> None:
    result = run("--store", str(cleaned.root), "--markdown", "--out", "-")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n## ") == 6
    assert "voltage spike" in result.stdout
    assert "Voltage (V), test time" in result.stdout
    assert "quarantined rows: 1" in result.stdout


def test_a_damaged_partition_is_named_and_the_next_cell_shown(cleaned: Store, tmp_path: Path) -> None:
    path = cleaned.cleaned("a_first")
    kept = path.read_bytes()
    path.write_bytes(kept[: len(kept) // 2])
    try:
        out = tmp_path / "talk.md"
        result = run("--store", str(cleaned.root), "--markdown", "--out", str(out))
        assert result.exit_code == 0, result.output
        assert "a_first" in result.stderr
        assert "warning:" in result.stderr
        assert "b\\_second: duplicate row, voltage spike" in out.read_text(encoding="utf-8")
    finally:
        path.write_bytes(kept)


def test_a_pdf_is_not_written_to_the_terminal(cleaned: Store) -> None:
    result = run("--store", str(cleaned.root), "--out", "-")
    assert "--markdown" in str(result.exception)


def test_slides_import_neither_pybamm_nor_dask() -> None:
    code = "import sys, kilocell.report.slides.write, kilocell.report.slides.pages; print(*sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pybamm", "dask", "distributed"} & set(modules)
