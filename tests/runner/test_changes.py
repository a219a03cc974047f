"""``plan`` says what changed, and finds a raw file that changed with the same size and time."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from campaigns import lines
from kilocell.data.results import receipt as v
from kilocell.data.results.simulation import FailedSimulation
from kilocell.data.settings import Override
from kilocell.data.standing import CHANGED
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_receipt
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.plan.changes import describe_change
from kilocell.runner.plan.job import SimulateWork
from kilocell.runner.run.run_campaign import scan_and_plan
from kilocell.runner.show.plan import show_plan
from test_purged_files import clean, write_campaign


@pytest.fixture
def cleaned(tmp_path: Path) -> Path:
    """Folder of a campaign whose cell one is cleaned."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "one.csv").write_text(lines("ONE"))
    clean(write_campaign(tmp_path))
    return tmp_path


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *, verify: bool = False) -> str:
    """Return what ``kilocell plan`` prints of the cell's cleaning."""
    show_plan(replace(load_campaign(folder / "campaign.toml"), verify=verify), json_=False, everything=True)
    out = capsys.readouterr().out
    return " ".join(next(line for line in out.splitlines() if line.startswith("clean ")).split())


def test_a_changed_threshold_is_named_with_both_values(cleaned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_campaign(cleaned, more="[clean]\ngap_factor = 31.5\nvoltage_limits_volt = [0.625, 5.375]\n")
    why = shown(cleaned, capsys)
    assert "settings or input changed: gap_factor" in why
    assert "→ 31.5" in why
    assert "voltage_limits_volt#1" in why


def test_a_changed_file_of_the_same_size_and_time_is_found_by_verify(
    cleaned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cleaned / "raw" / "one.csv"
    before = path.stat()
    path.write_text(path.read_text().replace("-1.0000", "-1.0001", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert shown(cleaned, capsys).endswith("clean done")
    assert shown(cleaned, capsys, verify=True).endswith(f"{CHANGED}: one.csv has other content (of the same size)")


def test_new_files_and_other_units_are_named(cleaned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cleaned / "raw" / "one.csv").write_text(lines("ONE", hours=0.5))
    assert "one.csv has other content (" in shown(cleaned, capsys)
    text = (cleaned / "campaign.toml").read_text()
    (cleaned / "raw" / "one.csv").write_text(lines("ONE"))
    changed = text.replace('current_ampere = "current_A"', 'current_ampere = { column = "current_A", unit = "mA" }')
    (cleaned / "campaign.toml").write_text(changed)
    assert "one.csv: columns#2.unit '' → 'mA'" in shown(cleaned, capsys)


def test_the_settings_of_a_simulation_are_compared(cleaned: Path) -> None:
    campaign = load_campaign(cleaned / "campaign.toml")
    job = next(job for job in scan_and_plan(campaign).jobs if job.kind == "simulate")
    assert isinstance(job.work, SimulateWork)
    now = job.work.settings
    before = replace(
        now,
        cell=replace(now.cell, nominal_capacity_ah=4.9),
        parameter_set=replace(now.parameter_set, overrides=(Override("Negative particle radius [m]", "scale", 0.5),)),
        time_limit_second=1.0,
    )
    result = FailedSimulation(before, 0, 0, 0.5, 3.7, "soc", 1.0, 25.0)
    store = Store(campaign.store)
    versions = (("pybamm", "24.1"),)
    write_receipt(store, v.Receipt("simulate", "one", job.label, "old", "failed", result=result, versions=versions))
    change = describe_change(store, job)
    assert "cell.nominal_capacity_ah 4.9 → 5.0" in change
    assert "parameter_set.overrides (Override(" in change
    assert "pybamm 24.1 → " in change
    assert "time_limit" not in change
