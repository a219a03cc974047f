"""What ``kilocell status --run`` prints: the record of one run."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

from ...data.errors import UsageError
from ...data.run_state import current_run
from ...data.text import printable_text
from ...parquet_store.layout import Store
from ...parquet_store.run_lock import see_lock
from ...sqlite import queries, run_queries
from .run_lines import SAMPLE_HEADINGS, record_lines, run_lines, sample_rows
from .table import table
from .terminal import print_lines


def show_run(root: Path, run_id: int, json_: bool) -> None:
    """Print the record of a run: what it was, what it used, and its workers over time.

    Args:
        root: the store's folder.
        run_id: of the catalog.
        json_: print JSON.

    Raises:
        UsageError: there is no such run.
    """
    lock = see_lock(root)
    with closing(queries.connect(Store(root).catalog)) as catalog:
        row = run_queries.find_run(catalog, run_id)
        if row is None:
            known = run_queries.run_ids(catalog)
            which = f"it has the runs {known[0]} to {known[-1]}" if known else "it has none yet"
            raise UsageError(f"--run {run_id}: the store has no such run; {which}")
        jobs = [dict(one) for one in run_queries.jobs_of_run(catalog, run_id)]
        samples = [dict(one) for one in run_queries.run_workers(catalog, run_id)]
    run = current_run(dict(row), lock, time.time())
    if json_:
        record = {**run, "ended_jobs": jobs, "workers": samples}
        print(json.dumps(record, ensure_ascii=False, indent=1))
        return
    head, *rest = run_lines(run, samples[-1] if samples else None)
    print_lines([f"run {run_id}: {head}", *rest, ""])
    print_lines(printable_text(f"{word:<10}  {text}") for word, text in record_lines(run, jobs, samples))
    if samples:
        print()
        print(table(SAMPLE_HEADINGS, sample_rows(samples), right=(3, 4)))
