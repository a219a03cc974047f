"""What commands print: tables of the catalog, the end of a run, figures and versions."""

from __future__ import annotations

import json
import platform
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

from ...data.errors import KilocellError
from ...data.text import format_count
from ...parquet_store.layout import Store
from ...sqlite import fit_queries, queries
from ...sqlite.user_select import select
from .fits import print_fit_summary
from .table import table, table_to_json

if TYPE_CHECKING:
    import sqlite3

    from ..run.run_campaign import RunSummary

RESULTS = {
    "cell": "cell_id",
    "rows": "rows",
    "cycles": "cycles",
    "findings": "findings",
    "model": "model",
    "parameter set": "parameter_set",
    "RMSE mV": "rmse_mv",
    "status": "status",
}
STATUS = ("stage", "status", "jobs")
MANY_ROWS = 60
REASONS_SHOWN = 20


def show_status(root: Path, json_: bool) -> None:
    """Print jobs by stage and status, failures and cells without anything to simulate, and the last run."""
    with closing(queries.connect(Store(root).catalog)) as catalog:
        counts = [tuple(row) for row in queries.job_counts(catalog)]
        failures = queries.failures(catalog)
        nothing = queries.skipped_for_content(catalog)
        run = queries.last_run(catalog)
    if json_:
        whole = {
            "jobs": [dict(zip(STATUS, row, strict=True)) for row in counts],
            "failures": [dict(row) for row in failures],
            "skipped": [dict(row) for row in nothing],
            "last_run": dict(run) if run is not None else None,
        }
        print(json.dumps(whole, ensure_ascii=False, indent=1))
        return
    print(table(STATUS, counts) if counts else "no jobs yet")
    if run is not None:
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(run["started_unix_second"]))
        print(f"\nlast run {run['run_id']}: {run['status']}, begun {began} on {run['host']} (pid {run['pid']})")
    _print_failures(root, failures)
    print_nothing_to_simulate(nothing)


def show_select(root: Path, statement: str, json_: bool) -> None:
    """Print what a SELECT on the catalog gives."""
    with closing(queries.connect(Store(root).catalog)) as catalog:
        headings, rows = select(catalog, statement)
    print(table_to_json(headings, rows) if json_ else table(headings, rows, ".6g"))


def show_end(root: Path, summary: RunSummary, out: TextIO | None, *, json_: bool, plots: bool) -> None:
    """Draw the figures of a run, print its table, and, unless quiet, where the store is and what to type next.

    Args:
        out: where progress goes; ``None`` when the user wants results and errors only.
    """
    if plots and (summary.done or not any(Store(root).figures.glob("*.png"))):
        _draw_all(root, out)
    with closing(queries.connect(Store(root).catalog)) as catalog:
        rows = result_rows(catalog)
        failures = queries.failures(catalog)
        nothing = queries.skipped_for_content(catalog)
        if json_:
            print(table_to_json(tuple(RESULTS), rows))
            return
        print(table(tuple(RESULTS), rows[:MANY_ROWS]))
        if len(rows) > MANY_ROWS:
            print(f"… and {len(rows) - MANY_ROWS} more: {_program()} results --store {_shown(root)}")
        if fits := [fit for fit in fit_queries.fits(catalog) if fit["status"] == "done"]:
            print_fit_summary(catalog, fits[:MANY_ROWS])
    _print_failures(root, failures)
    print_nothing_to_simulate(nothing)
    if out is not None:
        simulated = [str(row[0]) for row in rows if row[-1] == "done" and row[-2] is not None]
        _print_next(root, summary, simulated)


def _print_next(root: Path, summary: RunSummary, cells: Sequence[str]) -> None:
    before = f", {summary.done_before} were done before" if summary.done_before else ""
    bad = f", {summary.failed} failed" * bool(summary.failed) + f", {summary.skipped} skipped" * bool(summary.skipped)
    bad += f", {summary.nothing} with nothing to simulate" * bool(summary.nothing)
    store = _shown(root)
    print(f"\n{format_count(summary.done, 'job')} done{bad}{before}\nstore    {store}")
    if any(Store(root).figures.glob("*")):
        print(f"figures  {_shown(root / 'figures')}")
    print("\nnext:")
    program = _program()
    if cells:
        print(f"  {program} plot --store {store} --cell {_quoted(cells[0])} --cycles 1")
        print(f"  {program} plot --store {store} --cell {_quoted(cells[0])} --cleaning")
        print(f'  {program} sql --store {store} "SELECT cell_id, model, rmse_mv FROM simulations ORDER BY rmse_mv"')
    else:
        print(f"  {program} findings --store {store}")
        print(f"  {program} plot --store {store} --cleaning")
    print(f"  {program} status --store {store}")


def _print_failures(root: Path, failures: Sequence[Any]) -> None:
    if failures:
        print(f"\n{len(failures)} failed:")
    for row in failures[:REASONS_SHOWN]:
        log = f" (log: {_shown(root / row['log'])})" if row["log"] else ""
        print(f"  {row['kind']} {row['cell_id']} {row['label']}: {row['reason']}{log}")
    if len(failures) > REASONS_SHOWN:
        print('  … all of them: kilocell sql "SELECT * FROM failures"')


def print_nothing_to_simulate(rows: Sequence[Any]) -> None:
    """Say of each cell without anything to simulate why, once for all of its jobs."""
    reasons = {(row["cell_id"], row["reason"]): None for row in rows}
    if reasons:
        print(f"\n{len(rows)} skipped, which is no failure:")
    for cell_id, reason in list(reasons)[:REASONS_SHOWN]:
        print(f"  {cell_id}: {reason}")
    if len(reasons) > REASONS_SHOWN:
        print("  … all of them: kilocell sql \"SELECT * FROM jobs WHERE status = 'skipped'\"")


def result_rows(connection: sqlite3.Connection, cells: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    """The lines of the table of results, of some cells or of all."""
    rows = [row for row in queries.results(connection) if not cells or row["cell_id"] in cells]
    return [tuple(row[column] for column in RESULTS.values()) for row in rows]


def _draw_all(root: Path, out: TextIO | None) -> None:
    from ...report import figures

    try:
        paths = list(figures.plot_all(Store(root)))
    except (KilocellError, OSError) as error:
        print(f"figures could not be drawn: {error}", file=sys.stderr)
        return
    if out is not None:
        out.write(f"figures    {format_count(len(paths), 'file')}\n\n")


def make_synthetic(folder: Path, cells: int, seed: int, layout: str, out: TextIO | None) -> None:
    """Make synthetic cells and say what to do with them."""
    from ...data.synthetic.generate import synthesize

    def progress(done: int, total: int) -> None:
        if out is not None and (done == total or done % max(total // 20, 1) == 0):
            out.write(f"\r{done}/{total} cells" + ("\n" if done == total else ""))
            out.flush()

    paths = synthesize(folder, cells, seed, cast(Literal["long", "files"], layout), progress)
    data = [path for path in paths if path.suffix == ".csv"]
    print(f"wrote {len(data)} CSV file{'s' * (len(data) > 1)} and ground_truth.json to {folder}")
    print(f"next: kilocell init {_shown(folder)} --out {_shown(folder / 'campaign.toml')}")


def show_versions(json_: bool) -> None:
    """Print the versions of kilocell and of what its results depend on."""
    from ...data.installed import installed_version
    from ..run.run_campaign import RECORDED_VERSIONS

    rows = [("python", platform.python_version()), *((name, installed_version(name)) for name in RECORDED_VERSIONS)]
    print(table_to_json(("package", "version"), rows) if json_ else table(("package", "version"), rows))


def _program() -> str:
    """How kilocell is called from here: by its name where that finds this very one, else by its path."""
    called = Path(sys.argv[0])
    found = shutil.which("kilocell")
    if called.name != "kilocell" or (found is not None and Path(found).samefile(called)):
        return "kilocell"
    return _shown(called)


def _shown(path: Path) -> str:
    """A path as short as it can be typed here."""
    try:
        return _quoted(str(path.absolute().relative_to(Path.cwd())))
    except ValueError:
        return _quoted(str(path))


def _quoted(text: str) -> str:
    return shlex.quote(text)
