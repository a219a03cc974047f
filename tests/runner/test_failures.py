"""What is printed of failures: grouped by reason, with the cells and the next step."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from kilocell.data.errors import UsageError
from kilocell.data.results.receipt import JobKind, Receipt
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.parquet_store.layout import Store
from kilocell.runner.campaign.next_command import NextCommand
from kilocell.runner.run.failure_lines import SHOWN
from kilocell.runner.run.stopping import Tally, check_max_failures
from kilocell.runner.show.failures import job_key, kept_text, log_tail, show_failures
from kilocell.runner.worker.run_job import JobOutcome
from kilocell.sqlite.catalog import Catalog

CHEN = ParameterSetSettings("Chen2020", "Chen2020")
OUTSIDE = "the record starts at 4.35 V, Chen2020 ends at 4.2 V"


def fail(catalog: Catalog, kind: JobKind, cell: str, label: str, code: str, reason: str, log: str = "") -> None:
    settings = None
    if kind == "simulate":
        settings = SimulateSettings(CellSettings(cell), ModelSettings(label.split("-")[0], "SPM"), CHEN)
    catalog.record(Receipt(kind, cell, label, "d", "failed", reason, code, log), None, settings=settings)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three models of CELL_D and CELL_E fail alike, one of CELL_F in another way, and a file cannot be read."""
    log = tmp_path / "logs" / "simulate" / "CELL_F" / "SPM-Chen2020.log"
    log.parent.mkdir(parents=True)
    log.write_text("\n".join(f"line {n}" for n in range(30)))
    with Catalog.open(Store(tmp_path).catalog) as catalog:
        for cell in ("CELL_D", "CELL_E"):
            for model in ("SPM", "SPMe", "DFN"):
                fail(catalog, "simulate", cell, f"{model}-Chen2020", "initial_state_out_of_range", OUTSIDE)
        path = "logs/simulate/CELL_F/SPM-Chen2020.log"
        fail(catalog, "simulate", "CELL_F", "SPM-Chen2020", "left_range", "empty at 12 s", path)
        fail(catalog, "split", "all.csv", "0123456789abcdef", "unreadable", "all.csv: line 3")
    return tmp_path


def show(root: Path, capsys: pytest.CaptureFixture[str], **given: object) -> str:
    options: dict[str, object] = {"cells": (), "codes": (), "each": False, "json_": False, "csv_path": None}
    show_failures(root, **{**options, **given})  # type: ignore[arg-type]
    return capsys.readouterr().out


def test_one_reason_of_many_jobs_is_said_once(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = show(root, capsys)
    assert out.count(OUTSIDE) == 1
    assert f"CELL_D, CELL_E: all 3 models failed: {OUTSIDE}" in out
    assert "6 jobs of 2 cells" in out
    assert "next: choose another parameter set: `kilocell parameters`" in out
    assert "1 job of 1 file" in out
    assert "8 jobs failed, for 3 reasons" in out


def test_failures_are_selected_and_each_has_its_log(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = show(root, capsys, cells=("CELL_F",), each=True)
    assert "simulate CELL_F SPM-Chen2020  (left_range)" in out
    assert "line 29" in out
    assert "line 3\n" not in out
    assert str(root / "logs") in out
    assert "CELL_D" not in show(root, capsys, codes=("unreadable",))
    rows = json.loads(show(root, capsys, cells=("CELL_*",), each=True, json_=True))
    assert len(rows) == 7
    (group,) = json.loads(show(root, capsys, codes=("left_range",), json_=True))
    assert (group["jobs"], group["cells"], group["runs_again"]) == (1, ["CELL_F"], False)
    csv = root / "failed.csv"
    show(root, capsys, csv_path=csv)
    assert len(csv.read_text().splitlines()) == 9
    with pytest.raises(UsageError, match="left_range"):
        show(root, capsys, codes=("left_rang",))
    with pytest.raises(UsageError, match="CELL_F"):
        show(root, capsys, cells=("CELL_Q",))


def test_no_failure_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Catalog.open(Store(tmp_path).catalog):
        pass
    assert show(tmp_path, capsys) == "no job failed\n"


def test_a_log_outside_the_store_is_not_read(root: Path) -> None:
    (root.parent / "secret.txt").write_text("secret")
    assert log_tail(root, "logs/../../secret.txt") == []
    assert log_tail(root, str(root.parent / "secret.txt")) == []
    assert job_key({"kind": "clean", "cell_id": "a b", "label": "clean"}) == "clean 'a b' clean"


def test_a_thousand_failures_are_a_few_lines() -> None:
    said: list[str] = []
    counts: Counter[str] = Counter()
    tally = Tally((), counts, said.append, None)
    long = "a long paragraph " * 20
    tally.add([JobOutcome(("clean", f"C{n}", "clean"), "failed", long, code="left_range") for n in range(1000)])
    assert counts["failed"] == 1000
    assert len(said) == SHOWN
    assert all(len(line) < 200 for line in said)


def test_a_run_stops_after_the_given_number_of_failures() -> None:
    tally = Tally((), Counter(), lambda line: None, 2)
    failed = JobOutcome(("clean", "A", "clean"), "failed", "why", code="left_range")
    tally.add([failed])
    assert not tally.is_too_much
    tally.add([failed])
    assert tally.is_too_much
    with pytest.raises(UsageError):
        check_max_failures(0)


def test_kept_failures_are_one_line() -> None:
    text = kept_text(9, 3, NextCommand(Path("store")))
    assert "\n" not in text
    assert "9 jobs are kept as failed (and 3 that need them)" in text
    assert "kilocell retry" in text
