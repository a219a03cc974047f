"""What commands say of a run: whether it is alive, what it used, and its complete record."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from ...data.results.receipt import JobKind
from ...data.run_state import ENDED_SILENTLY, RUNNING, UNKNOWN, Lock, last_sign_unix_second
from ...data.text import format_count, format_duration, format_memory, printable_text

HOSTS_NAMED: Final = 4
"""Machines with workers that are named."""

SAMPLES_SHOWN: Final = 12
"""Rows of the table of workers over time."""

KINDS: Final = get_args(JobKind)
"""Kinds of jobs in the order in which they run."""

WORDS: Final = {ENDED_SILENTLY: "ended without a word (killed, out of memory, power?)", UNKNOWN: "running or not"}
SAMPLE_HEADINGS: Final = ("time", "workers", "threads", "memory", "largest", "running")

Row = Mapping[str, Any]


def run_lines(run: Row, last_sample: Row | None = None) -> Iterator[str]:
    """Yield what there is to say of a run in a few lines.

    Args:
        run: as of :func:`kilocell.data.run_state.current_run`.
        last_sample: its latest row of ``run_workers``; ``None`` = it has none.
    """
    began = clock(run["started_unix_second"])
    where = f"{began} on {run['host']} (process {run['pid']})"
    match run["status"]:
        case "running":
            yield f"running since {where}, for {format_duration(time.time() - run['started_unix_second'])}"
            if last_sample is not None:
                yield f"  {workers_text(run, last_sample)}"
        case "ended_silently":
            yield f"{WORDS[ENDED_SILENTLY]}, started {where}, last sign of life {clock(last_sign_unix_second(run))}"
            yield f"  {run['status_reason']}. Run again to continue: finished jobs are kept"
        case "unknown":
            yield f"running or ended is not known, started {where}"
            yield f"  {run['status_reason']}"
        case status:
            took = "" if run["seconds"] is None else f", took {format_duration(run['seconds'])}"
            yield f"{status}, started {where}{took}"
    if run["status"] != RUNNING and run["workers_peak"]:
        yield f"  {_used_text(run)}"


def lock_line(run: Row | None, lock: Lock) -> str:
    """Return who uses the store if it is not the last run; "" = nobody else, as far as is known."""
    holder = lock.holder
    if not lock.is_held or (run is not None and run["status"] == RUNNING):
        return ""
    if holder is None:
        return "store in use by another process"
    command = f"`{printable_text(holder.command)}`" if holder.command else "another command"
    since = clock(holder.since_unix_second)
    return f"store in use by {command} on {holder.host} (process {holder.pid}) since {since}"


def workers_text(run: Row, sample: Row) -> str:
    """Return how many workers there are now, where, and with how much memory."""
    if not sample["workers"]:
        return "no workers now: they start, wait in a queue, or have ended"
    hosts = json.loads(run["worker_hosts"] or "{}")
    names = [f"{host} ({count})" if len(hosts) > 1 else host for host, count in list(hosts.items())[:HOSTS_NAMED]]
    more = ", …" if len(hosts) > HOSTS_NAMED else ""
    where = f" on {', '.join(names)}{more}" if names else ""
    memory = (
        f"{format_memory(sample['memory_bytes'])} in use, {format_memory(sample['worker_memory_bytes'])} the largest"
    )
    return f"{format_count(sample['workers'], 'worker')}{where}, {memory}"


def record_lines(run: Row, jobs: Sequence[Row], samples: Sequence[Row]) -> Iterator[tuple[str, str]]:
    """Yield the record of a run: words, and what there is to say.

    Args:
        run: as of :func:`kilocell.data.run_state.current_run`.
        jobs: as of ``run_queries.jobs_of_run``.
        samples: as of ``run_queries.run_workers``.
    """
    yield "command", str(run["command"])
    yield "exit code", "none" if run["exit_code"] is None else str(run["exit_code"])
    if run["campaign"] is not None:
        yield "campaign", f"{run['campaign']}, {run['campaign_path']}{_commit_text(run['campaign_commit'])}"
    versions = json.loads(run["versions"] or "{}")
    kilocell = versions.pop("kilocell", "not known")
    yield "version", f"kilocell {kilocell}{_commit_text(run['kilocell_commit'])}"
    yield "packages", ", ".join(f"{name} {version}" for name, version in versions.items())
    cluster = json.loads(run["cluster"] or "{}")
    if cluster:
        settings = (f"{name} = {_setting(value)}" for name, value in cluster.items() if value not in (None, "", []))
        yield "cluster", ", ".join(settings)
    yield "jobs", _jobs_text(json.loads(run["jobs"] or "{}"), jobs)
    if run["worker_hosts"]:
        yield "workers on", ", ".join(f"{host} ({count})" for host, count in json.loads(run["worker_hosts"]).items())
    if run["log"]:
        yield "log", str(run["log"])
    yield "samples", f"{len(samples)} of its workers; all: kilocell status --run {run['run_id']} --json"


def sample_rows(samples: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Return workers over time for a table, the first and the last one always among them."""
    step = max(len(samples) - 1, 1) / max(min(SAMPLES_SHOWN, len(samples)) - 1, 1)
    chosen = sorted({round(number * step) for number in range(min(SAMPLES_SHOWN, len(samples)))})
    return [
        (
            clock(row["unix_second"]),
            row["workers"],
            row["threads"],
            format_memory(row["memory_bytes"]),
            format_memory(row["worker_memory_bytes"]),
            row["running_jobs"],
        )
        for row in (samples[place] for place in chosen)
    ]


def clock(unix_second: float) -> str:
    """Return a time on this machine's clock: ``2026-11-30 20:46:02``."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_second))


def _used_text(run: Row) -> str:
    parts = [
        (run["workers_memory_peak_bytes"], "of all workers"),
        (run["worker_memory_peak_bytes"], "of one"),
        (run["client_memory_peak_bytes"], "of its own process"),
    ]
    memory = ", ".join(f"{format_memory(size)} {words}" for size, words in parts if size)
    return f"up to {format_count(run['workers_peak'], 'worker')}; peak memory {memory or 'not known'}"


def _commit_text(commit: str | None) -> str:
    if commit is None:
        return ""
    number, dirty, _ = commit.partition("-dirty")
    return f", Git commit {number[:12]}{' with changes' if dirty else ''}"


def _setting(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _jobs_text(planned: Mapping[str, int], jobs: Sequence[Row]) -> str:
    text = ", ".join(f"{planned[kind]} {kind}" for kind in KINDS if planned.get(kind)) or "none"
    ended: dict[str, int] = {}
    for row in jobs:
        ended[row["status"]] = ended.get(row["status"], 0) + row["count"]
    if not ended:
        return text
    counts = ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
    return f"{text}; {counts} (without those that a later run did again)"
