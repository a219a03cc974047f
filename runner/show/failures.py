"""What commands print of failed jobs: grouped by reason, with the cells and the next step, or each with its log."""

from __future__ import annotations

import csv
import json
import shlex
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, TextIO

from ...data.failures import failure_kind, may_pass
from ...data.names import check_known
from ...data.text import format_count, printable_text
from ...sqlite.failures import failed_jobs, simulations_by_cell, skipped_after
from ..campaign.next_command import NextCommand
from .open_catalog import command_of, open_catalog

CELLS_SHOWN: Final = 3
"""Cells of a group that have a line of their own, unless the user asks for the group."""

CELLS_NAMED: Final = 5
"""Cells of one line that are named."""

GROUPS_SHOWN: Final = 8
"""Groups that are shown at the end of a run."""

TAIL_LINES: Final = 8
"""Last lines of a log that are shown."""

BEFORE_SIMULATION: Final = {"clean": "cleaning", "split": "reading the file"}
"""What is said of jobs before a simulation, by kind."""

Failure = dict[str, Any]
"""A row of :func:`kilocell.sqlite.failures.failed_jobs`."""


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs of one reason code.

    Args:
        code: the reason code.
        jobs: rows, by cell.
        simulations: number of simulations of each cell.
    """

    code: str
    jobs: tuple[Failure, ...]
    simulations: dict[str, int]

    @property
    def cells(self) -> list[str]:
        """The cells of the jobs, in order; the name of the file for one that could not be split."""
        return list(dict.fromkeys(str(job["cell_id"]) for job in self.jobs))

    def by_cell(self) -> list[tuple[list[str], str, str]]:
        """Return cells with what failed of them and why; cells of which the same failed for the same reason are one."""
        found: dict[tuple[str, str], list[str]] = {}
        for cell_id in self.cells:
            own = [job for job in self.jobs if job["cell_id"] == cell_id]
            reasons = list(dict.fromkeys(str(job["reason"]) for job in own))
            reason = reasons[0]
            if len(reasons) > 1:
                reason += " (the others alike: see --each)"
            what = describe_jobs(own, self.simulations.get(cell_id, 0))
            found.setdefault((what, reason), []).append(cell_id)
        return [(cells, what, reason) for (what, reason), cells in found.items()]


def group_failures(catalog: sqlite3.Connection, failures: Sequence[Failure] | None = None) -> list[FailureGroup]:
    """Return failed jobs by reason code, the reason with the most jobs first.

    Args:
        failures: only these jobs; ``None`` = all.
    """
    rows = [dict(row) for row in failed_jobs(catalog)] if failures is None else failures
    counts = simulations_by_cell(catalog)
    by_code: dict[str, list[Failure]] = {}
    for row in rows:
        by_code.setdefault(str(row["reason_code"]), []).append(row)
    groups = [FailureGroup(code, tuple(jobs), counts) for code, jobs in by_code.items()]
    return sorted(groups, key=lambda group: (-len(group.jobs), group.code))


def describe_jobs(jobs: Sequence[Failure], simulations: int) -> str:
    """Say which jobs of a cell failed: ``all 3 models``, ``SPM-Chen2020``, ``cleaning``.

    Args:
        jobs: failed jobs of one cell, at least one.
        simulations: number of simulations that the cell has.
    """
    parts = []
    labels = [str(job["label"]) for job in jobs if job["kind"] == "simulate"]
    sets = {job["parameter_set"] for job in jobs if job["kind"] == "simulate"}
    if len(labels) > 1 and len(labels) == simulations:
        number = "both" if len(labels) == 2 else f"all {len(labels)}"
        parts.append(f"{number} {'models' if len(sets) == 1 else 'simulations'}")
    elif labels:
        parts.append(_some(labels))
    parts += [BEFORE_SIMULATION[kind] for kind in _kinds(jobs, tuple(BEFORE_SIMULATION))]
    for kind in _kinds(jobs, ("start", "fit", "profile")):
        names = [str(job["label"]) for job in jobs if job["kind"] == kind]
        parts.append(f"{kind} {_some(names)}")
    return ", ".join(parts)


def _kinds(jobs: Sequence[Failure], kinds: Sequence[str]) -> list[str]:
    present = {job["kind"] for job in jobs}
    return [kind for kind in kinds if kind in present]


def _some(names: Sequence[str]) -> str:
    if len(names) > CELLS_NAMED:
        return f"{', '.join(names[: CELLS_NAMED - 1])} and {len(names) - CELLS_NAMED + 1} more"
    return ", ".join(names)


def group_lines(group: FailureGroup, command: NextCommand, most_cells: int = CELLS_SHOWN) -> Iterator[str]:
    """Yield the lines of a group: a heading, a line for each cell or set of cells, and the next step.

    Args:
        command: completes the commands of the next step.
        most_cells: number of such lines; the others are counted.
    """
    kind = failure_kind(group.code)
    files = all(job["kind"] == "split" for job in group.jobs)
    size = f"{format_count(len(group.jobs), 'job')} of {format_count(len(group.cells), 'file' if files else 'cell')}"
    heading = f"{kind.meaning} ({group.code})" if kind.meaning else group.code
    yield f"  {heading}: {size}"
    lines = group.by_cell()
    for cells, what, reason in lines[:most_cells]:
        yield f"    {_some(cells)}: {what} failed: {reason}"
    hidden = len({cell for cells, _, _ in lines[most_cells:] for cell in cells})
    if hidden:
        yield f"    … and {format_count(hidden, 'more cell')}: {command.of(f'failures --reason {group.code}')}"
    yield f"    next: {command.fill(kind.next_step, group.cells[0], job_key(group.jobs[0]))}"


def failure_text(
    groups: Sequence[FailureGroup],
    command: NextCommand,
    most_groups: int = GROUPS_SHOWN,
    most_cells: int = CELLS_SHOWN,
) -> str:
    """Return failed jobs grouped by reason, for the end of a run and for ``kilocell status``; "" = there are none.

    Args:
        command: completes the commands that the text names.
        most_groups: number of groups that are shown; the others are counted.
        most_cells: as of :func:`group_lines`.
    """
    if not groups:
        return ""
    jobs = sum(len(group.jobs) for group in groups)
    reasons = f", for {len(groups)} reasons" if len(groups) > 1 else ""
    lines = [f"{format_count(jobs, 'job')} failed{reasons}:"]
    for group in groups[:most_groups]:
        lines += group_lines(group, command, most_cells)
    if len(groups) > most_groups:
        lines.append(f"  … and {format_count(len(groups) - most_groups, 'more reason')}: {command.of('failures')}")
    return "\n".join(printable_text(line) for line in lines)


def print_failures(groups: Sequence[FailureGroup], command: NextCommand, file: TextIO | None = None) -> None:
    """Print failed jobs at the end of a run or of ``kilocell status``; nothing if there are none.

    Args:
        command: completes the commands that the text names.
        file: where to; ``None`` = stdout.
    """
    if groups:
        print(f"\n{failure_text(groups, command)}\n  {_more_text(command)}", file=file)


def _more_text(command: NextCommand) -> str:
    return f"each with its log: {command.of('failures --each')}; to run them again: {command.of('retry')}"


def kept_text(failed: int, skipped: int, command: NextCommand) -> str:
    """Say how many failed jobs do not run again, and how to run them all the same.

    Args:
        failed: number of jobs that are kept as failed.
        skipped: number of jobs that are skipped because they need one of these.
        command: completes the command that the text names.
    """
    jobs = f"{format_count(failed, 'job')} {'is' if failed == 1 else 'are'} kept as failed"
    others = f" (and {skipped} that {'needs' if skipped == 1 else 'need'} them)" if skipped else ""
    return (
        f"{jobs}{others}: nothing that the result depends on has changed. To run them all the same: "
        f"{command.of('retry')}, or run --retry-failed"
    )


def choose_failures(catalog: sqlite3.Connection, cells: Sequence[str] = (), codes: Sequence[str] = ()) -> list[Failure]:
    """Return the failed jobs of cells and reasons.

    Args:
        cells: ids or patterns such as ``CELL_*``; the name of the file for one that could not be split; empty = all.
        codes: reason codes; empty = all.

    Raises:
        UsageError: no job of such a cell, or for such a reason, has failed; the text gives the nearest name.
    """
    rows = [dict(row) for row in failed_jobs(catalog)]
    check_known("no job failed for the reason", codes, {str(row["reason_code"]) for row in rows})
    known = {str(row["cell_id"]) for row in rows}
    patterns = [cell for cell in cells if cell not in known and not any(fnmatchcase(one, cell) for one in known)]
    check_known("no job failed of the cell", patterns, known)
    return [
        row
        for row in rows
        if (not codes or row["reason_code"] in codes)
        and (not cells or any(row["cell_id"] == cell or fnmatchcase(row["cell_id"], cell) for cell in cells))
    ]


def show_failures(
    root: Path,
    cells: Sequence[str],
    codes: Sequence[str],
    *,
    each: bool,
    json_: bool,
    csv_path: Path | None,
    everything: bool = False,
) -> None:
    """Print failed jobs by reason, or each with its log.

    Args:
        root: the store's folder.
        cells, codes: only these; empty = all.
        each: print every job, with the path and the last lines of its log.
        json_: print JSON.
        csv_path: write a row for each job to this file, too; ``None`` = no.
        everything: also what is out of date or of an earlier campaign.
    """
    with open_catalog(root, everything) as catalog:
        rows = choose_failures(catalog, cells, codes)
        groups = group_failures(catalog, rows)
        skipped = sum(skipped_after(catalog).values())
        command = command_of(root, catalog)
    if csv_path is not None:
        _write_csv(csv_path, rows)
    if json_:
        shown = [_with_tail(root, row) for row in rows] if each else [_group_json(group) for group in groups]
        print(json.dumps(shown, ensure_ascii=False, indent=1))
    elif each:
        for row in rows:
            print("\n".join(printable_text(line) for line in _job_lines(root, row)))
    elif groups:
        print(failure_text(groups, command, len(groups), len(rows) if codes or cells else CELLS_SHOWN))
        print(f"\n{_more_text(command)}")
    if not rows and not json_:
        print("no job failed")
    elif skipped and not json_ and not each:
        print(f"{format_count(skipped, 'job')} skipped, because a job that they need failed")


def job_key(row: Failure) -> str:
    """Return the name of a job as ``kilocell job`` takes it: ``simulate CELL_D SPM-Chen2020``."""
    return " ".join(shlex.quote(str(row[column])) for column in ("kind", "cell_id", "label"))


def _job_lines(root: Path, row: Failure) -> Iterator[str]:
    yield f"{job_key(row)}  ({row['reason_code']})"
    yield f"  {row['reason']}"
    tail = log_tail(root, row["log"])
    if row["log"]:
        yield f"  log: {root / row['log']}"
    for line in tail:
        yield f"  | {line}"
    yield ""


def log_tail(root: Path, log: str) -> list[str]:
    """Return the last lines of a job's log; none if it has no log.

    Args:
        log: path in the store, of the catalog; a path that leads out of the store's logs is not read.
    """
    path = root / log
    if not log or not path.resolve().is_relative_to((root / "logs").resolve()):
        return []
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    except OSError:
        return []


def _group_json(group: FailureGroup) -> dict[str, Any]:
    kind = failure_kind(group.code)
    return {
        "reason_code": group.code,
        "meaning": kind.meaning,
        "next": kind.next_step,
        "runs_again": may_pass(group.code),
        "jobs": len(group.jobs),
        "cells": group.cells,
        "reasons": [{"cells": cells, "failed": what, "reason": reason} for cells, what, reason in group.by_cell()],
    }


def _with_tail(root: Path, row: Failure) -> dict[str, Any]:
    return {**row, "key": job_key(row), "log_tail": log_tail(root, row["log"])}


def _write_csv(path: Path, rows: Sequence[Failure]) -> None:
    columns = ("kind", "cell_id", "label", "reason_code", "reason", "model", "parameter_set", "fit", "log", "standing")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
