"""Whole runs with real worker processes: what is done, what failed, and what a second run does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from campaigns import KILOCELL, QUICK, ask, environment, kilocell, lines, results, write_campaign

slow = pytest.mark.slow


def test_run_plan_status_sql_and_plot(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(lines(name))
    write_campaign(tmp_path)
    assert "4 of 4 jobs would run" in kilocell("plan", cwd=tmp_path).stdout
    first = kilocell("run", *QUICK, cwd=tmp_path)
    assert "4 jobs done" in first.stdout
    assert results(tmp_path) == {("one", "SPM"): "done", ("two", "SPM"): "done"}
    second = kilocell("run", *QUICK, cwd=tmp_path)
    assert "nothing to do: all 4 jobs are up to date" in second.stdout
    assert "running" not in second.stderr  # no cluster is started for nothing
    status = json.loads(kilocell("status", "--json", cwd=tmp_path).stdout)
    assert status["failures"] == []
    assert {(row["kind"], row["status"], row["count"]) for row in status["jobs"]} == {
        ("clean", "done", 2),
        ("simulate", "done", 2),
    }
    row = ask(tmp_path, "SELECT * FROM simulations WHERE cell_id = 'one'")[0]
    assert row["charge_error"] < 5e-4
    assert pq.read_table(tmp_path / "store" / row["path"]).num_rows == 120
    plotted = kilocell("plot", "--cell", "one", "--cycles", "1", "--model", "SPM", cwd=tmp_path).stdout.split()
    assert {Path(path).suffix for path in plotted} == {".png", ".pdf"}
    assert all((tmp_path / path).stat().st_size > 5000 for path in plotted)


@slow
def test_the_catalog_is_made_anew_from_receipts(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(lines("one"))
    write_campaign(tmp_path)
    kilocell("run", *QUICK, "--no-plots", cwd=tmp_path)
    question = "SELECT cell_id, model, rmse_mv, digest FROM simulations"
    before = ask(tmp_path, question)
    (tmp_path / "store" / "catalog.sqlite").unlink()
    assert "all 2 jobs are up to date" in kilocell("run", *QUICK, "--no-plots", cwd=tmp_path).stdout
    assert ask(tmp_path, question) == before


def test_bad_files_fail_alone_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(lines("good"))
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text(lines("x").split("\n")[0] + "\n")
    (tmp_path / "column.csv").write_text(lines("x").replace("voltage_V", "volts_maybe"))
    (tmp_path / "text.csv").write_text(lines("x").replace(",4.", ",high").replace(",3.", ",high"))
    (tmp_path / "broken.csv").write_bytes(lines("x").encode()[:900] + b"\xff\x00\xfe\x00\x01" * 30)
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to("nothing.csv")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv")).write_text(lines("x"))
    campaign = write_campaign(tmp_path, more="[cells.goood]\nnominal_capacity_ah = 4.0\n")
    campaign.write_text(campaign.read_text().replace('"*.csv"', '"*.csv", "goood.csv"'))
    done = kilocell("run", *QUICK, "--no-plots", cwd=tmp_path, expect=1)
    failed = {row["cell_id"]: row["reason"] for row in ask(tmp_path, "SELECT cell_id, reason FROM failures")}
    assert "9 jobs failed" in done.stdout
    assert "more cells: kilocell failures --reason unreadable" in done.stdout
    said = kilocell("failures", "--reason", "unreadable", cwd=tmp_path).stdout
    contents = {"empty", "header", "column", "text", "broken"}
    assert set(failed) == contents | {"pipe.csv", "link.csv", "caf\\xe9.csv", "goood.csv"}
    for cell_id, reason in failed.items():
        assert f"{cell_id}.csv" in reason or cell_id in reason
        assert reason.split(":")[0] in said
    assert 'did you mean "good.csv"?' in failed["goood.csv"]
    assert "named pipe" in failed["pipe.csv"]
    assert "link to nothing.csv" in failed["link.csv"]
    assert "not UTF-8" in failed["caf\\xe9.csv"]
    codes = ask(tmp_path, "SELECT DISTINCT reason_code FROM failures")
    assert codes == [{"reason_code": "unreadable"}]
    assert "volts_maybe" in failed["column"]
    assert "high" in failed["text"]
    assert results(tmp_path)["good", "SPM"] == "done"
    assert results(tmp_path)["empty", "SPM"] == "skipped"

    (tmp_path / "good.csv").rename(tmp_path / "goood.csv")
    (tmp_path / "pipe.csv").unlink()
    kilocell("clean", *QUICK, "--cell", "goood", cwd=tmp_path)
    failed = {row["cell_id"]: row["reason"] for row in ask(tmp_path, "SELECT cell_id, reason FROM failures")}
    assert set(failed) == contents | {"link.csv", "caf\\xe9.csv"}  # what was fixed or removed is not listed


IDS = ["../../x", "a/b", "CON", "<script>alert(1)</script>", "x" * 300, "电池一号", "A", "a'\"; DROP TABLE cells; --"]


@slow
def test_any_cell_id_keeps_its_name_and_stays_in_the_store(tmp_path: Path) -> None:
    quoted = ['"' + cell_id.replace('"', '""') + '"' for cell_id in IDS]
    text = "".join(lines(cell_id, 0.5, header=number == 0) for number, cell_id in enumerate(quoted))
    folder = tmp_path / "campaign"
    folder.mkdir()
    (folder / "all.csv").write_text(text, encoding="utf-8")
    write_campaign(folder, "column:cell_id")
    kilocell("run", *QUICK, cwd=folder)
    assert {row["cell_id"] for row in ask(folder, "SELECT cell_id FROM cells")} == set(IDS)
    assert set(results(folder).values()) == {"done"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["campaign"]
    assert len(list((folder / "store" / "cleaned").iterdir())) == len(IDS)


@slow
def test_files_of_one_cell_are_joined_or_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(lines("JOINED", start="2024-01-01T08:00:00"))
    (tmp_path / "a.csv").write_text(lines("JOINED", start="2024-01-01T10:00:00"))
    (tmp_path / "c.csv").write_text(lines("TWICE", start="2024-01-01T08:00:00"))
    (tmp_path / "d.csv").write_text(lines("TWICE", start="2024-01-01T08:30:00"))
    write_campaign(tmp_path, "column:cell_id")
    kilocell("run", *QUICK, "--no-plots", cwd=tmp_path, expect=1)
    rows = ask(tmp_path, "SELECT rows_in FROM clean_reports WHERE cell_id = 'JOINED'")
    assert rows == [{"rows_in": 240}]
    (reason,) = [row["reason"] for row in ask(tmp_path, "SELECT reason FROM failures")]
    assert "c.csv and d.csv hold the same cell" in reason


@slow
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (('models = ["SPM"]', 'models = ["SPN"]'), ["models", "SPN", "SPM"]),
        (("nominal_capacity_ah = 5.0", 'nominal_capacity_ah = "five"'), ["cells.defaults.nominal_capacity_ah", "five"]),
        (('"Chen2020"', '"Chen2021"'), ["Chen2021", "Chen2020"]),
        (("parameter_set", "parameter_sett"), ["parameter_sett", "parameter_set"]),
        (('["*.csv"]', '["*.tsv"]'), ["*.tsv"]),
    ],
)
def test_a_wrong_campaign_ends_before_any_work(tmp_path: Path, wrong: tuple[str, str], words: list[str]) -> None:
    (tmp_path / "one.csv").write_text(lines("one"))
    path = write_campaign(tmp_path)
    path.write_text(path.read_text().replace(*wrong))
    done = kilocell("run", *QUICK, cwd=tmp_path, expect=2)
    for word in ["campaign.toml", *words]:
        assert word in done.stderr
    assert not (tmp_path / "store").exists()


@slow
def test_a_misspelt_parameter_ends_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(lines("one"))
    misspelt = '"Negative particle difusivity [m2.s-1]" = { scale = 0.5 }'
    more = f'[[variations]]\nname = "slow"\n[variations.parameters]\n{misspelt}\n'
    write_campaign(tmp_path, more=more)
    done = kilocell("run", *QUICK, cwd=tmp_path, expect=2)
    assert "Negative particle diffusivity [m2.s-1]" in done.stderr


@slow
def test_only_select_is_answered(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(lines("one"))
    write_campaign(tmp_path)
    kilocell("clean", *QUICK, cwd=tmp_path)
    for statement in ("DELETE FROM cells", "DROP TABLE cells", "ATTACH 'x' AS y"):
        kilocell("sql", statement, cwd=tmp_path, expect=2)
    assert "rmse_mv" in kilocell("sql", "SELECT rmse_mw FROM simulations", cwd=tmp_path, expect=2).stderr
    assert ask(tmp_path, "SELECT count(*) AS cells FROM cells") == [{"cells": 1}]


@slow
def test_a_broken_file_among_several_cells_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(lines("A"))
    (tmp_path / "b.csv").write_bytes(b"\xff\x00\xfe\x00\x01" * 200)
    write_campaign(tmp_path, "column:cell_id")
    done = kilocell("run", *QUICK, "--no-plots", "--quiet", cwd=tmp_path, expect=1)
    assert "b.csv" in done.stdout
    assert results(tmp_path)["A", "SPM"] == "done"


@slow
def test_cleaning_anew_makes_older_simulations_pending(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(lines("one"))
    path = write_campaign(tmp_path)
    kilocell("run", *QUICK, "--no-plots", cwd=tmp_path)
    path.write_text(path.read_text().replace('"charge_positive"', '"discharge_positive"'))
    kilocell("clean", *QUICK, cwd=tmp_path)
    assert results(tmp_path) == {("one", "SPM"): "pending"}
    kilocell("plot", "--cell", "one", "--model", "SPM", cwd=tmp_path, expect=2)


@slow
def test_another_id_column_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    rows = lines("A").replace("cell_id,", "cell_id,other,", 1).replace(",A,", ",A,B,").splitlines()
    half = len(rows) // 2
    swapped = [row.replace(",A,B,", ",B,A,") for row in rows[half:]]
    (tmp_path / "one.csv").write_text("\n".join(rows[:half] + swapped) + "\n")
    path = write_campaign(tmp_path, "column:cell_id")
    kilocell("clean", *QUICK, cwd=tmp_path)
    first = ask(tmp_path, "SELECT cell_id, rows_in FROM clean_reports ORDER BY cell_id")
    path.write_text(path.read_text().replace("column:cell_id", "column:other"))
    kilocell("clean", *QUICK, cwd=tmp_path)
    second = ask(tmp_path, "SELECT cell_id, rows_in FROM clean_reports ORDER BY cell_id DESC")
    assert [row["rows_in"] for row in first] == [row["rows_in"] for row in second] == [half - 1, 121 - half]


@slow
@pytest.mark.parametrize("arguments", [("run", "--cluster", "nonsense"), ("-v", "run", "nothere.toml")])
def test_usage_errors_exit_with_2_whatever_the_state(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "one.csv").write_text(lines("one"))
    write_campaign(tmp_path)
    kilocell("run", *QUICK, "--no-plots", cwd=tmp_path)
    done = subprocess.run([*KILOCELL, *arguments], cwd=tmp_path, capture_output=True, text=True, env=environment())
    assert done.returncode == 2


@slow
def test_a_cell_that_only_rests_is_skipped_and_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(lines("good"))
    resting = [line.split(",") for line in lines("rest").splitlines()]
    rows = [resting[0], *([stamp, cell_id, "0.0000", "3.80000"] for stamp, cell_id, _, _ in resting[1:])]
    (tmp_path / "rest.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    fit = '[fit]\nmodel = "SPM"\nstarts = 2\nmax_evaluations = 1\n[fit.parameters]\n'
    fit += '"Negative particle radius [m]" = {bounds = [1e-6, 1e-5]}\n'
    write_campaign(tmp_path, more=fit)
    done = kilocell("run", "--cell", "rest", *QUICK, "--no-plots", cwd=tmp_path)
    assert "1 job done, 5 with nothing to simulate" in done.stdout
    statement = "SELECT kind, status, reason_code, reason FROM jobs WHERE cell_id = 'rest'"
    rows_of_jobs = ask(tmp_path, statement)
    assert {row["kind"]: row["reason_code"] for row in rows_of_jobs} == {
        "clean": "", "simulate": "rest_only", "start": "rest_only", "fit": "rest_only",
    }  # fmt: skip
    assert {row["status"] for row in rows_of_jobs if row["kind"] != "clean"} == {"skipped"}
    assert ask(tmp_path, "SELECT status, exit_code FROM runs") == [{"status": "done", "exit_code": 0}]
    for command in ("status", "results"):
        shown = kilocell(command, cwd=tmp_path).stdout
        assert "rest: the cell rests throughout" in shown, command
    assert {row["cell_id"] for row in json.loads(kilocell("status", "--json", cwd=tmp_path).stdout)["skipped"]} == {
        "rest"
    }
    again = kilocell("run", "--cell", "rest", *QUICK, "--no-plots", cwd=tmp_path)
    assert "nothing to do: all 6 jobs are up to date" in again.stdout
    kilocell("simulate", *QUICK, "--no-plots", cwd=tmp_path)
    assert results(tmp_path)["good", "SPM"] == "done"


@slow
def test_a_cell_that_leaves_its_sets_range_keeps_its_curve_and_runs_again(tmp_path: Path) -> None:
    """A tenth of the cell's capacity: the model is empty soon, its curve until then is there, and it is no result."""
    (tmp_path / "one.csv").write_text(lines("one"))
    path = write_campaign(tmp_path)
    path.write_text(path.read_text().replace("nominal_capacity_ah = 5.0", "nominal_capacity_ah = 0.5"))
    done = kilocell("run", *QUICK, "--no-plots", cwd=tmp_path, expect=1)
    assert "check nominal_capacity_ah" in done.stdout
    (row,) = ask(tmp_path, "SELECT * FROM simulations")
    assert (row["status"], row["rmse_mv"]) == ("failed", None)
    assert 0.7 < row["initial_soc"] < 0.8
    assert row["partial_rmse_mv"] > 0.0
    frame = pq.read_table(tmp_path / "store" / row["path"]).to_pandas()
    assert len(frame) == row["samples"] < 120
    assert frame["test_time_second"].iloc[-1] == row["ended_second"]
    assert set(frame["window"]) <= {"ohmic", "kinetic", "diffusion", "capacity"}
    assert set(frame["step_type"]) == {"rest", "discharge"}
    assert ask(tmp_path, "SELECT * FROM comparisons") == []
    plotted = kilocell("plot", "--cell", "one", cwd=tmp_path).stdout.split()
    assert all((tmp_path / each).stat().st_size > 5000 for each in plotted)
    before = ask(tmp_path, "SELECT * FROM simulations")
    (tmp_path / "store" / "catalog.sqlite").unlink()
    planned = kilocell("plan", cwd=tmp_path).stdout  # the same input would fail in the same way
    assert "1 job is kept as failed" in planned
    assert "0 of 2 jobs would run" in planned
    kilocell("run", *QUICK, "--no-plots", cwd=tmp_path, expect=1)
    again = ask(tmp_path, "SELECT * FROM simulations")
    assert [row["ended_second"] for row in again] == [row["ended_second"] for row in before]
    path.write_text(path.read_text().replace("nominal_capacity_ah = 0.5", "nominal_capacity_ah = 5.0"))
    kilocell("run", *QUICK, "--no-plots", cwd=tmp_path)
    (row,) = ask(tmp_path, "SELECT * FROM simulations")
    assert (row["status"], row["ended_second"], row["samples"]) == ("done", None, 120)
    (line,) = ask(tmp_path, "SELECT * FROM errors_by_window")
    parts = ask(tmp_path, "SELECT sum(samples) n FROM step_comparisons WHERE cycle_count = 0 AND step_type = 'all'")
    assert (line["rmse_mv"], parts) == (row["rmse_mv"], [{"n": 120}])
    assert "ohmic" in kilocell("results", "--by", "window", cwd=tmp_path).stdout
    assert len(kilocell("plot", "--cell", "one", "--errors", cwd=tmp_path).stdout.split()) == 2
