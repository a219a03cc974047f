"""Failed jobs that do not run again until something that they depend on changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from kilocell.data.errors import MissingLibraryError, ReadError, StoreError, TooLargeError, reason_and_code
from kilocell.data.failures import FAILURES, may_pass
from kilocell.data.results.receipt import Receipt, Status
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_receipt
from kilocell.runner.plan.job import Job, Key, SplitWork
from kilocell.runner.plan.kept import count_kept_failures, find_kept, kept_jobs, run_again
from kilocell.runner.run.failure_policy import KEEP_FAILED, FailurePolicy, choose_again, retry_all, select_again
from kilocell.runner.run.graph import make_task
from kilocell.runner.run.summary import summarize
from kilocell.runner.worker.run_job import JobOutcome, run_jobs_in_order
from test_plan import by_key, finish, plan

CLEAN: Key = ("clean", "A", "clean")
OF_A = {("simulate-SPM", "A", "SPM-Chen2020"), ("simulate-SPMe", "A", "SPMe-Chen2020")}


def end(folder: Path, job: Job, status: Status, code: str, versions: tuple[tuple[str, str], ...] = ()) -> None:
    receipt = Receipt(job.kind, job.cell_id, job.label, job.digest, status, "why", code, versions=versions)
    write_receipt(Store(folder / "store"), receipt)


def with_failed_cleaning(folder: Path, code: str = "no_voltage") -> dict[Key, Job]:
    """A plan of which everything is done, but the cleaning of A failed and what needs it was skipped."""
    for job in plan(folder):
        if job.key == CLEAN:
            end(folder, job, "failed", code)
        elif job.cell_id == "A":
            end(folder, job, "skipped", "earlier_job")
        else:
            finish(folder, job)
    return by_key(plan(folder))


def test_a_failure_of_the_input_is_kept_with_what_needs_it(tmp_path: Path) -> None:
    jobs = with_failed_cleaning(tmp_path)
    assert [job.key for job in jobs.values() if job.reason] == []
    kept = kept_jobs(jobs.values())
    assert kept[CLEAN].status == "failed"
    assert {key for key, one in kept.items() if one.status == "skipped"} >= OF_A
    assert count_kept_failures(jobs.values()) == 1


@pytest.mark.parametrize(
    "code", ["worker_died", "file_system", "time_limit", "scheduler", "out_of_memory", "unexpected"]
)
def test_a_failure_that_may_pass_runs_again(tmp_path: Path, code: str) -> None:
    jobs = with_failed_cleaning(tmp_path, code)
    assert jobs[CLEAN].reason == "failed before: why"
    assert all(jobs[key].reason for key in OF_A)
    assert kept_jobs(jobs.values()) == {}


def test_new_settings_input_or_versions_run_a_failed_job_again(tmp_path: Path) -> None:
    jobs = with_failed_cleaning(tmp_path)
    assert by_key(plan(tmp_path, digest="bb" * 32))[CLEAN].reason == "a job that it needs runs again"
    end(tmp_path, jobs[CLEAN], "failed", "no_voltage", (("kilocell", "0.0.1"),))
    assert by_key(plan(tmp_path))[CLEAN].reason == "failed before: why"
    end(tmp_path, jobs[CLEAN], "failed", "no_voltage", (("no-such-package", "1"),))
    assert by_key(plan(tmp_path))[CLEAN].reason == "failed before: why"


def test_a_file_that_cannot_be_opened_is_tried_every_time(tmp_path: Path) -> None:
    job = next(job for job in plan(tmp_path) if job.kind == "split")
    receipt = Receipt("split", job.cell_id, job.label, job.digest, "failed", "why", "unreadable")
    assert find_kept(job, receipt, set(), set()) is not None
    assert isinstance(job.work, SplitWork)
    assert find_kept(replace(job, work=replace(job.work, problem="no permission")), receipt, set(), set()) is None


def test_a_new_model_of_a_failed_cell_is_skipped_not_failed(tmp_path: Path) -> None:
    jobs = with_failed_cleaning(tmp_path)
    new = next(job for key, job in jobs.items() if key in OF_A)
    store = Store(tmp_path / "store")
    store.receipt(new.kind, new.cell_id, new.label).unlink()
    again = plan(tmp_path)
    (waiting,) = [job for job in again if job.reason]
    assert waiting.key == new.key
    not_done = {key: JobOutcome(key, one.status, one.reason, code=one.code) for key, one in kept_jobs(again).items()}
    task = make_task([waiting], not_done, 0)
    (outcome,) = run_jobs_in_order(str(store.root), task.jobs, task.before)
    assert (outcome.status, outcome.code) == ("skipped", "earlier_job")
    assert "why" in outcome.reason
    assert by_key(plan(tmp_path))[new.key].kept is not None


def test_retry_runs_what_failed_and_what_needs_it(tmp_path: Path) -> None:
    jobs = tuple(with_failed_cleaning(tmp_path).values())
    assert select_again(choose_again(jobs, KEEP_FAILED), KEEP_FAILED) == []
    retry = FailurePolicy(retry=lambda job: job.key == CLEAN, only_retried=True)
    again = select_again(choose_again(jobs, retry), retry)
    assert again[0].key == CLEAN
    assert {job.cell_id for job in again} == {"A"}
    assert {job.key for job in again} > OF_A
    assert all(job.kept is None for job in again)
    none = FailurePolicy(retry=lambda job: False, only_retried=True)
    assert select_again(choose_again(jobs, none), none) == []
    assert {job.key for job in run_again(jobs, retry_all) if job.reason} == {job.key for job in again}


def test_a_run_with_kept_failures_ends_with_1(tmp_path: Path) -> None:
    from collections import Counter

    jobs = tuple(with_failed_cleaning(tmp_path).values())
    summary = summarize(1, jobs, Counter(), [])
    assert (summary.kept, summary.exit_code) == (1, 1)
    assert summary.kept_skipped >= len(OF_A)
    assert summary.done_before + summary.kept + summary.kept_skipped == len(jobs)


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    for code, kind in FAILURES.items():
        assert kind.meaning, code
        assert kind.next_step, code
    assert may_pass("a code of a later version")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "out_of_memory"),
        (TooLargeError("its rows take more than half of the memory"), "out_of_memory"),
        (OSError(28, "No space left on device"), "file_system"),
        (OSError(5, "Input/output error", "cleaned/A.parquet"), "file_system"),
        (StoreError("rows are missing"), "store"),
        (MissingLibraryError("install it"), "missing_library"),
        (ReadError("line 3"), "unreadable"),
        (KeyError("x"), "unexpected"),
    ],
)
def test_errors_have_codes_that_say_whether_they_may_pass(error: Exception, code: str) -> None:
    assert reason_and_code(error)[1] == code
    assert may_pass(code) is (code != "unreadable")
