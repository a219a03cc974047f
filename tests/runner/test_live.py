"""The live page's state: grid, counts, rates, failures and RMSE; its texts; the ssh tunnel. No browser, no Dask."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any, Final, cast

import numpy as np
import pytest
from kilocell.data.results.receipt import Receipt, Status
from kilocell.data.results.simulation import SimulationResult
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings, SimulateSettings
from kilocell.report.styles import make_styles
from kilocell.runner.cluster.dashboard import tunnel_command
from kilocell.runner.live import grid
from kilocell.runner.live.failures import Failures
from kilocell.runner.live.page import Page
from kilocell.runner.live.rmse import EDGES_MV, Distribution, Series
from kilocell.runner.live.state import LiveState
from kilocell.runner.live.texts import failures_html, rmse_html, shorten, stages_html, summary_html
from kilocell.runner.plan.job import Job, Key, SimulateWork
from kilocell.runner.worker.run_job import JobOutcome

HOSTILE: Final = "<script>alert(1)</script>$$x$$\x1b[31m"


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.second = 100.0

    def __call__(self) -> float:
        return self.second


def simulate(cell_id: str, model: str = "SPM", fit: str = "", reason: str = "never run before") -> Job:
    settings = SimulateSettings(
        CellSettings(cell_id, nominal_capacity_ah=3.0), ModelSettings(model, model), ParameterSetSettings("S", "S")
    )
    label = f"{model}-S{fit}"
    return Job("simulate", cell_id, label, f"simulate-{model}", "", SimulateWork(settings, fit), (), reason)


def plain(
    kind: Any, cell_id: str, stage: str, label: str = "a", needs: tuple[Key, ...] = (), reason: str = "new"
) -> Job:
    return Job(kind, cell_id, label, stage, "", cast(Any, None), needs, reason)


def ended(job: Job, status: Status = "done", seconds: float = 2.0, reason: str = "", code: str = "") -> JobOutcome:
    return JobOutcome(job.key, status, reason, seconds, code)


def receipt(job: Job, rmse_mv: float) -> Receipt:
    result = object.__new__(SimulationResult)
    object.__setattr__(result, "rmse_mv", rmse_mv)
    return Receipt(job.kind, job.cell_id, job.label, "", "done", result=result)


def code(state: LiveState, stage: str, column: int) -> int:
    return int(state.codes()[state.stages.index(stage), column])


def test_a_box_goes_from_waiting_over_running_to_its_end() -> None:
    jobs = [plain("clean", cell, "clean") for cell in "ABCD"]
    state = LiveState(jobs)
    assert code(state, "clean", 0) == grid.WAITING
    state.set_running([jobs[0].key, ("stranger", "X", "y")])
    assert code(state, "clean", 0) == grid.RUNNING
    for job, status in zip(jobs, ("done", "failed", "skipped"), strict=False):
        state.record(ended(job, cast(Status, status)))
    assert list(state.codes()[0]) == [grid.DONE, grid.FAILED, grid.SKIPPED, grid.WAITING]
    state.set_running([jobs[0].key])  # a late report of the worker
    assert code(state, "clean", 0) == grid.DONE


def test_a_box_with_several_jobs_shows_how_many_ended_and_never_hides_a_failure() -> None:
    jobs = [plain("start", "A", "start-f", str(number)) for number in range(6)]
    state = LiveState(jobs)
    seen = []
    for job in jobs[:5]:
        state.record(ended(job))
        seen.append(code(state, "start-f", 0))
    assert seen == [grid.PARTS[0], grid.PARTS[0], grid.PARTS[1], grid.PARTS[1], grid.PARTS[2]]
    state.record(ended(jobs[5], "failed", reason="no"))
    assert code(state, "start-f", 0) == grid.FAILED


def test_jobs_that_are_up_to_date_are_done_and_counted_apart() -> None:
    jobs = [plain("clean", "A", "clean", reason=""), plain("clean", "B", "clean")]
    state = LiveState(jobs)
    assert list(state.codes()[0]) == [grid.DONE, grid.WAITING]
    (stage,) = state.summary().stages
    assert (stage.before, stage.ended, stage.left) == (1, 1, 1)


def test_the_split_of_a_file_is_that_of_all_its_cells() -> None:
    split = plain("split", "all.csv", "split")
    cells = [plain("clean", cell, "clean", needs=(split.key,)) for cell in ("A", "B")]
    lost = plain("split", "broken.csv", "split")
    state = LiveState([split, lost, *cells])
    assert [column.first for column in state.columns] == ["A", "B", "broken.csv"]
    state.record(ended(split))
    state.record(ended(lost, "failed", reason="not readable"))
    assert list(state.codes()[state.stages.index("split")]) == [grid.DONE, grid.DONE, grid.FAILED]
    assert code(state, "clean", 2) == grid.EMPTY


def test_ten_thousand_cells_share_columns() -> None:
    jobs = [plain("clean", f"C{number}", "clean") for number in range(10_001)]
    state = LiveState(jobs)
    assert state.cells == 10_001
    assert sum(column.cells for column in state.columns) == 10_001
    assert len(state.columns) <= grid.MAX_COLUMNS
    state.record(ended(jobs[-1], "failed", reason="no"))
    assert code(state, "clean", -1) == grid.FAILED
    assert np.count_nonzero(state.codes() != grid.WAITING) == 1


def test_a_job_counts_once_and_strangers_do_not() -> None:
    job = plain("clean", "A", "clean")
    state = LiveState([job])
    for _ in range(3):
        state.record(ended(job))
    state.record(JobOutcome(("clean", "Z", "clean"), "failed", "no"))
    assert state.summary().count("ended") == 1
    assert state.summary().failures == ()


def test_rate_and_time_left() -> None:
    clock = Clock()
    jobs = [plain("clean", str(number), "clean") for number in range(40)]
    later = plain("fit", "0", "fit-f")
    state = LiveState([*jobs, later], clock)
    assert state.summary().jobs_per_minute is None
    assert state.summary().left is None
    for job in jobs[:20]:  # two workers, 4 s each
        clock.second += 2.0
        state.record(ended(job, seconds=4.0))
    summary = state.summary()
    assert summary.jobs_per_minute == pytest.approx(30.0, rel=0.06)
    assert summary.left is not None
    assert summary.left.seconds == pytest.approx(40.0, rel=0.06)
    assert summary.left.is_lower_bound  # no fit has ended yet
    state.record(ended(later, seconds=4.0))
    left = state.summary().left
    assert left is not None
    assert not left.is_lower_bound


def test_the_rate_forgets_what_was_long_ago() -> None:
    clock = Clock()
    jobs = [plain("clean", str(number), "clean") for number in range(200)]
    state = LiveState(jobs, clock)
    for job in jobs[:100]:
        clock.second += 0.1
        state.record(ended(job, seconds=0.1))
    clock.second += 600.0
    for job in jobs[100:150]:
        clock.second += 1.0
        state.record(ended(job, seconds=1.0))
    assert state.summary().jobs_per_minute == pytest.approx(60.0, rel=0.05)


def test_failures_are_grouped_by_reason_whatever_their_numbers_and_cells() -> None:
    failures = Failures()
    for number in range(30):
        failures.add("simulate-SPM", f"B{number}", f"B{number}: cut-off 2.5 V reached at {number}.5 s", "cut_off")
    failures.add("clean", "X", "not readable", "unreadable")
    newest = failures.newest(5)
    assert [(group.code, group.jobs, group.cell_count) for group in newest] == [
        ("unreadable", 1, 1),
        ("cut_off", 30, 30),
    ]
    assert newest[1].cells[0] == "B29"
    assert newest[1].varies
    assert not newest[0].varies


def test_only_so_many_reasons_are_kept() -> None:
    failures = Failures()
    for number in range(1000):
        failures.add("clean", "A", "reason " + "x" * number, "unexpected")
    assert len(failures) <= 200
    assert failures.newest(1)[0].reason.endswith("x" * 999)


def test_rmse_by_model_and_fitted_in_the_order_of_the_jobs() -> None:
    jobs = [simulate("A", "SPMe"), simulate("A", "SPM"), simulate("B", "SPM"), simulate("A", "SPM", fit="f")]
    state = LiveState(jobs)
    for job, value in zip(jobs, (20.0, 50.0, 70.0, 3.0), strict=True):
        state.record(ended(job), receipt(job, value))
    rmse = state.rmse()
    assert list(rmse) == [Series("SPMe"), Series("SPM"), Series("SPM", True)]
    counts, number, median = rmse[Series("SPM")]
    assert (sum(counts), number, median) == (2, 2, 60.0)


def test_rmse_of_earlier_runs_counts_only_where_it_is_up_to_date() -> None:
    jobs = [simulate("A", reason=""), simulate("B")]
    state = LiveState(jobs)
    state.record_earlier([("A", "SPM-S", 12.0), ("B", "SPM-S", 99.0), ("gone", "SPM-S", 1.0)])
    assert {series: number for series, (_, number, _) in state.rmse().items()} == {Series("SPM"): 1}


@pytest.mark.parametrize("value", [0.0, 1e-9, 0.1, 33.3, 1e3, 1e9])
def test_every_rmse_has_a_bin(value: float) -> None:
    one = Distribution()
    one.add(value)
    (place,) = np.flatnonzero(one.counts)
    assert place == 0 or EDGES_MV[place] <= value
    assert place == len(one.counts) - 1 or value < EDGES_MV[place + 1]


def test_a_failed_or_endless_rmse_is_left_out() -> None:
    jobs = [simulate("A"), simulate("B")]
    state = LiveState(jobs)
    state.record(ended(jobs[0], "failed", reason="no"), receipt(jobs[0], 5.0))
    state.record(ended(jobs[1]), receipt(jobs[1], float("nan")))
    assert state.rmse() == {}


def test_the_end_stops_the_clock_and_nothing_runs() -> None:
    clock = Clock()
    job = plain("clean", "A", "clean")
    state = LiveState([job], clock)
    state.set_running([job.key])
    clock.second += 5.0
    state.end("was interrupted")
    clock.second += 100.0
    assert state.summary().elapsed_second == 5.0
    assert state.summary().count("running") == 0
    assert "was interrupted" in summary_html(state.summary())


class Tags(HTMLParser):
    """The names of all tags of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)


def test_names_and_reasons_are_text_whatever_they_hold() -> None:
    job = replace(simulate(HOSTILE, HOSTILE), stage=f"simulate-{HOSTILE}")
    state = LiveState([job])
    state.record(ended(job, "failed", reason=f"no {HOSTILE} <img src=x onerror=alert(1)>"))
    summary = state.summary()
    rmse = {Series(HOSTILE): ([0], 1, 2.0)}
    texts = [
        stages_html(summary.stages),
        failures_html(summary.failures, summary.reasons),
        rmse_html(rmse, make_styles([HOSTILE], [])),
    ]
    for text in texts:
        assert not Tags(text).names & {"script", "img"}
        assert "&lt;script&gt;" in text
        assert "\x1b" not in text


def test_long_names_are_shortened_in_the_middle() -> None:
    assert shorten("a" * 48) == "a" * 48
    short = shorten("begin" + "x" * 200 + "end")
    assert (len(short), short[:5], short[-3:]) == (48, "begin", "end")


def test_the_page_sends_only_what_changed() -> None:
    jobs = [plain("clean", f"C{number}", "clean") for number in range(1000)]
    state = LiveState(jobs)
    page = Page(state, make_styles([], []))
    sent: list[object] = []
    source = page.grid_source
    source.on_change("data", lambda name, old, new: sent.append(new))
    page.update()
    assert sent == []
    state.record(ended(jobs[7], "failed", reason="no"))
    page.update()
    assert source.data["image"][0][0, 7] == grid.FAILED
    assert source.data["image"][0][0, 8] == grid.WAITING
    assert len(sent) == 1
    for job in jobs[100:]:
        state.record(ended(job))
    page.update()
    assert np.count_nonzero(source.data["image"][0] == grid.DONE) == 900


@pytest.fixture
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    monkeypatch.setattr("socket.gethostname", lambda: "n17")
    monkeypatch.setattr("socket.getfqdn", lambda: "n17.cluster.example")


@pytest.mark.parametrize(
    ("address", "is_cluster", "environment", "command"),
    [
        ("http://127.0.0.1:8787/kilocell", False, {}, ""),
        ("http://127.0.0.1:8787/kilocell", True, {}, "ssh -L 8787:127.0.0.1:8787 ada@n17.cluster.example"),
        (
            "http://127.0.0.1:8788/kilocell",
            False,
            {"SSH_CONNECTION": "192.0.2.9 50000 192.0.2.1 2222"},
            "ssh -p 2222 -L 8788:127.0.0.1:8788 ada@n17.cluster.example",
        ),
        (
            "http://127.0.0.1:8787/kilocell",
            True,
            {"SLURM_JOB_ID": "5", "SLURM_SUBMIT_HOST": "login1"},
            "ssh -J ada@login1 -L 8787:127.0.0.1:8787 ada@n17",
        ),
        (
            "http://10.0.0.17:8787/kilocell",
            True,
            {"SLURM_JOB_ID": "5", "SLURM_SUBMIT_HOST": "login1"},
            "ssh -L 8787:10.0.0.17:8787 ada@login1",
        ),
    ],
)
@pytest.mark.usefixtures("user")
def test_the_tunnel_leads_to_the_page(
    address: str, is_cluster: bool, environment: dict[str, str], command: str
) -> None:
    assert tunnel_command(address, is_cluster, environment) == command
