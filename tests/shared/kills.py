"""Kill parts of a run at a random moment, let later runs finish it, and compare the store with an undisturbed one."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil
import pyarrow.parquet as pq
from campaigns import KILOCELL, PATIENCE_SECOND, campaign_text, drive_lines, environment, lines
from kilocell.data.codec import to_json
from kilocell.parquet_store.layout import list_receipts
from kilocell.parquet_store.receipts import read_receipt
from kilocell.runner.cluster.security import security_in_files

FIT: Final = """
[[fit]]
name = "two"
model = "SPM"
cells = ["drive"]
starts = 2
max_evaluations = 8
profiles = true
seed = 3
[fit.parameters]
"Positive particle diffusivity [m2.s-1]" = { bounds = [1e-15, 1e-13], scale = "log" }
"""
LOCAL: Final = "local"
CLUSTERS: Final = (LOCAL, "tls", "tcp")
VICTIMS: Final = ("client", "worker", "workers", "group")
MORE_VICTIMS: Final = ("nanny", "scheduler", "all")
"""What is killed. group = the client's process group, which has local workers, too. At a scheduler of its own, also one
of its nannies, the scheduler, or all of these."""

MOST_RUNS: Final = 3
"""Runs after which a campaign must be complete: the killed one, and two more."""

JOBS: Final = 15
"""Jobs of the campaign."""

LONGEST_DELAY_SECOND: Final = 1.0
LONGEST_START_SECOND: Final = 6.0
"""Longest time from the end of a job, or from the start of the run, to the kill."""

ENDED: Final = "ended"
"""The run was over before it could be killed."""

ELSEWHERE: Final = ("started_unix_second", "seconds", "host", "solve_seconds", "compiled", "bytes")
"""What a receipt says of when and how it ran, not of what came out."""

TABLES_OF_RUNS: Final = ("runs", "run_workers", "campaigns")
COLUMNS_OF_RUNS: Final = (*ELSEWHERE, "found_unix_second", "run_id", "mtime_ns")
"""Columns that say when, where and in which run something was made."""

NAMES_OF_FILES: Final = {"outputs": "(SELECT group_concat(key) FROM json_each(outputs))"}
"""A column without the sizes of files: they are those of receipts, which say when and how a job ran."""

REASON_OF_PLAN: Final = ("plan", "reason")
"""Why the last run did a job: a run that finds it done has no reason."""

Snapshot = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kill:
    """A kill, and what became of the campaign.

    Args:
        moment: of the kill, s after the start of the run.
        victim: what was killed.
        stage: what ran then.
        done_before: jobs with a receipt then.
        runs: number of runs until the campaign was complete, with the killed one.
        differences: what the store then has otherwise than that of an undisturbed run.
    """

    moment: float
    victim: str
    stage: str
    done_before: int
    runs: int
    differences: tuple[str, ...]


def write_campaign_to_kill(folder: Path) -> None:
    """Write a campaign with all kinds of jobs: two cells in one file, one in another, two models, a fit, profiles."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "several.csv").write_text(lines("one", 0.5) + lines("two", 0.5, header=False))
    (folder / "drive.csv").write_text(drive_lines("drive", 200.0))
    text = campaign_text(cell_id="column:cell_id", models=("SPM", "SPMe"), more=FIT)
    (folder / "campaign.toml").write_text(text)


class Place:
    """Where runs of a campaign take place: processes of their own, or a scheduler with two workers that is there.

    Args:
        folder: with the campaign.
        cluster: ``local``, ``tls`` or ``tcp``.
    """

    def __init__(self, folder: Path, cluster: str) -> None:
        self.folder = folder
        self.cluster = cluster
        self._stack = contextlib.ExitStack()
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self.running: subprocess.Popen[str]
        self._known = environment()
        self._scheduler_file = folder / "scheduler.json"

    def __enter__(self) -> Place:
        self._stack.callback(self._end_parts)
        if self.cluster == "tls":
            security = self._stack.enter_context(security_in_files(self.folder / "keys"))
            tls = {"CA_FILE": security.tls_ca_file}
            for role in ("CLIENT", "SCHEDULER", "WORKER"):
                tls[f"{role}__CERT"] = security.tls_client_cert
                tls[f"{role}__KEY"] = security.tls_client_key
            self._known |= {f"DASK_DISTRIBUTED__COMM__TLS__{name}": path for name, path in tls.items()}
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def run(self) -> subprocess.Popen[str]:
        """Start a run in a process group of its own, on a scheduler whose missing parts are started before."""
        where = ["--workers", "2"]
        if self.cluster != LOCAL:
            where = ["--cluster", self._start_parts()]
        command = [*KILOCELL, "run", *where, "--dashboard-address", "none", "--no-plots"]
        self.running = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._known,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        return self.running

    def kill(self, run: subprocess.Popen[str], victim: str, rng: random.Random) -> None:
        """Kill one of :data:`VICTIMS` or :data:`MORE_VICTIMS`; a nanny is drawn."""
        client = psutil.Process(run.pid)
        if victim in ("group", "all"):
            os.killpg(run.pid, signal.SIGKILL)
        elif victim == "client":
            client.kill()
        if victim in ("scheduler", "all"):
            self._parts["scheduler"].kill()
        if victim in ("nanny", "all"):
            names = sorted(name for name in self._parts if name != "scheduler")
            for name in names if victim == "all" else [rng.choice(names)]:
                self._parts[name].kill()
        if victim in ("worker", "workers"):
            parents = [client]
            if self.cluster != LOCAL:
                parents = [psutil.Process(part.pid) for name, part in self._parts.items() if name != "scheduler"]
            found = [worker for parent in parents for worker in workers_of(parent)]
            for worker in found if victim == "workers" else found[:1]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()

    def _start_parts(self) -> str:
        if self._parts and self._parts["scheduler"].poll() is not None:
            self._end_parts()
        if not self._parts:
            self._scheduler_file.unlink(missing_ok=True)
            options = ["--host", f"{self.cluster}://127.0.0.1", "--port", "0"]
            self._start("scheduler", "dask_scheduler", *options, "--scheduler-file", str(self._scheduler_file))
            deadline = time.monotonic() + PATIENCE_SECOND
            while not self._scheduler_file.exists():
                assert time.monotonic() < deadline, "no scheduler started"
                time.sleep(0.05)
        for name in ("nanny 1", "nanny 2"):
            if name not in self._parts or self._parts[name].poll() is not None:
                self._start(name, "dask_worker", "--scheduler-file", str(self._scheduler_file), "--nthreads", "1")
        return str(json.loads(self._scheduler_file.read_text())["address"])

    def _start(self, name: str, module: str, *options: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *options, "--dashboard-address", "127.0.0.1:0"]
        log = self._stack.enter_context((self.folder / f"{name}.log").open("ab"))
        self._parts[name] = subprocess.Popen(
            command, cwd=self.folder, env=self._known, stdout=log, stderr=log, process_group=0
        )

    def _end_parts(self) -> None:
        for part in self._parts.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(part.pid, signal.SIGKILL)
            part.wait()
        self._parts = {}


def workers_of(parent: psutil.Process) -> list[psutil.Process]:
    """Return the worker processes below a process."""
    found = []
    for child in parent.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def run_undisturbed(place: Place) -> Snapshot:
    """Run the campaign once; return what is in its store, which is moved away."""
    run = place.run()
    out, _ = run.communicate(timeout=PATIENCE_SECOND)
    assert run.returncode == 0, out
    found = snapshot(place.store)
    assert not check(place)
    move_away(place)
    return found


def kills(place: Place, number: int, seed: int) -> Iterator[Kill]:
    """Run a campaign undisturbed, then again and again with a kill at a random moment, each time to its end.

    The moment is a random time after a random number of jobs: a busy computer begins late, and much time passes then.
    """
    rng = random.Random(f"{place.cluster} {seed}")
    undisturbed = run_undisturbed(place)
    made = 0
    while made < number:
        jobs, delay, victim = draw_moment(place.cluster, rng)
        kill = run_with_kill(place, undisturbed, partial(wait_for_jobs, place, jobs, delay), victim, rng)
        if kill.stage != ENDED:
            made += 1
            yield kill


def draw_moment(cluster: str, rng: random.Random) -> tuple[int, float, str]:
    """Draw after how many jobs, and how many s later, what is killed."""
    jobs = rng.randrange(JOBS + 1)
    delay = rng.uniform(0.0, LONGEST_DELAY_SECOND if jobs else LONGEST_START_SECOND)
    return jobs, delay, draw_victim(cluster, rng)


def wait_for_jobs(place: Place, jobs: int, delay: float) -> float:
    """Wait until a run has ended some jobs; return the time until the kill, s."""
    while stage_now(place.store)[1] < jobs and place.running.poll() is None:
        time.sleep(0.01)
    return delay


def draw_victim(cluster: str, rng: random.Random) -> str:
    """Draw what is killed."""
    return rng.choice(VICTIMS if cluster == LOCAL else (*VICTIMS, *MORE_VICTIMS))


def run_with_kill(
    place: Place, undisturbed: Snapshot, wait: Callable[[], float], victim: str, rng: random.Random
) -> Kill:
    """Run the campaign, kill a part of the run, and run until it is complete.

    Args:
        undisturbed: the store of an undisturbed run.
        wait: called when the run has begun; returns after how many more s the kill comes.
        victim: what is killed.
    """
    run = place.run()
    began = time.monotonic()
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(wait())
    moment = time.monotonic() - began
    stage, done = stage_now(place.store)
    if run.poll() is None:
        place.kill(run, victim, rng)
    else:
        stage = ENDED
    outputs = [finish(run)]
    while run.returncode and len(outputs) < MOST_RUNS:
        run = place.run()
        outputs.append(finish(run))
    found = [f"exit code {run.returncode} of run {len(outputs)}"] if run.returncode else []
    found += compare(undisturbed, snapshot(place.store)) + check(place)
    found += ["a traceback" for output in outputs if "Traceback" in output]
    if found:
        number = len(list(place.folder.glob("store-*")))
        (place.folder / f"output-{number:03d}.txt").write_text("\n=== next run\n".join(outputs))
    move_away(place)
    return Kill(moment, victim, stage, done, len(outputs), tuple(found))


def finish(run: subprocess.Popen[str]) -> str:
    """Wait for the end of a run, and of the processes that it started; return what it printed."""
    try:
        out, _ = run.communicate(timeout=PATIENCE_SECOND)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGABRT)
        out, _ = run.communicate()
        out += "\nit did not end"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    return str(out)


def stage_now(store: Path) -> tuple[str, int]:
    """Return what a run does now, from the files of its store, and how many jobs have ended."""
    receipts = len(list_receipts(store))
    running = sorted({path.parts[-2] for path in store.glob("receipts/*/*.begun")})
    if running:
        return " + ".join(running), receipts
    if not receipts:
        return "start-up", 0
    return "between jobs", receipts


def snapshot(store: Path) -> Snapshot:
    """Return what is in a store: rows of the catalog, tables of Parquet files, receipts."""
    found: Snapshot = {}
    if (store / "catalog.sqlite").exists():
        found |= catalog_rows(store / "catalog.sqlite")
    for path in sorted(store.rglob("*.parquet")):
        found[str(path.relative_to(store))] = pq.read_table(path)
    for path in list_receipts(store):
        receipt = read_receipt(path)
        found[str(path.relative_to(store))] = receipt and without_times(json.loads(to_json(receipt)))
    left = [*store.rglob("*.begun"), *store.rglob("*.running")]
    return found | {str(path.relative_to(store)): None for path in left}


def catalog_rows(path: Path) -> Snapshot:
    """Return the rows of each table, sorted, without what says when, where and in which run they were made."""
    found: Snapshot = {}
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as catalog:
        tables = [name for (name,) in catalog.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        for table in tables:
            if table in TABLES_OF_RUNS or table.startswith("sqlite_"):
                continue
            columns = [row[1] for row in catalog.execute(f"PRAGMA table_info({table})")]
            kept = [name for name in columns if name not in COLUMNS_OF_RUNS and (table, name) != REASON_OF_PLAN]
            selected = ", ".join(NAMES_OF_FILES.get(name, f'"{name}"') for name in kept)
            found[f"table {table}"] = sorted(catalog.execute(f"SELECT {selected} FROM {table}"), key=repr)
    return found


def without_times(value: Any) -> Any:
    """Return the content of a receipt without what says when and how its job ran."""
    if isinstance(value, dict) and value.get("is") == "OutputFile":
        return value["path"]  # size and digest of a file are those of numbers that a compiled model gives, or none
    if isinstance(value, dict):
        return {key: without_times(entry) for key, entry in value.items() if key not in ELSEWHERE}
    return [without_times(entry) for entry in value] if isinstance(value, list) else value


def compare(undisturbed: Snapshot, found: Snapshot) -> list[str]:
    """Return how a store differs from the one of an undisturbed run, one line for each file or table."""
    differences = []
    for name in sorted(undisturbed.keys() | found.keys()):
        if name not in found:
            differences.append(f"{name} is missing")
        elif name not in undisturbed:
            differences.append(f"{name} is left over")
        elif name.endswith(".parquet"):
            if not undisturbed[name].equals(found[name], check_metadata=False):
                differences.append(f"{name} has other values")
        elif undisturbed[name] != found[name]:
            differences.append(f"{name} differs")
    return differences


def check(place: Place) -> list[str]:
    """Return what `kilocell catalog check` says of a store; nothing if all is well."""
    done = subprocess.run(
        [*KILOCELL, "catalog", "check"], cwd=place.folder, env=place._known, capture_output=True, text=True
    )
    return [f"kilocell catalog check: {done.stdout}{done.stderr}"] if done.returncode else []


def move_away(place: Place) -> None:
    """Rename a store, so that the next run begins without one."""
    number = len(list(place.folder.glob("store-*")))
    place.store.rename(place.folder / f"store-{number:03d}")
