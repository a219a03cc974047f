"""Where the answer to a question goes: a table or JSON on standard output, a CSV file, a figure."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...data.text import format_count, printable_text
from ...parquet_store.atomic import write_atomically


@dataclass(frozen=True, slots=True)
class Output:
    """Where an answer goes, beside the terminal.

    Args:
        json_: print JSON instead of a table; the keys are the catalog's columns.
        csv: write the rows to this file; ``None`` = no.
        plot: write a figure to this PNG, PDF or SVG file; ``None`` = no.
        samples: write the time series to this CSV file; ``None`` = no.
        everything: also what is out of date or of an earlier campaign.
    """

    json_: bool = False
    csv: Path | None = None
    plot: Path | None = None
    samples: Path | None = None
    everything: bool = False


def write_csv(rows: Sequence[Mapping[str, Any]], output: Output) -> None:
    """Write the rows of an answer as CSV if the user wants that, before anything is printed: a pipe may end early.

    Args:
        rows: all with the same columns, which are the first line of the file.
        output: where the answer goes.
    """
    if output.csv is not None:
        write_atomically(output.csv, partial(_write_csv, rows))


def say_csv(rows: Sequence[Mapping[str, Any]], output: Output) -> None:
    """Say below an answer how many rows the CSV file has, if there is one."""
    if output.csv is not None:
        say_path(f"{output.csv}: {format_count(len(rows), 'row')}", output)


def say_path(text: str | Path, output: Output) -> None:
    """Print the path of a file that was written; beside JSON, on stderr, so that a program can read the JSON."""
    print(printable_text(str(text)), file=sys.stderr if output.json_ else sys.stdout)


def _write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if rows:
            writer.writerow(rows[0])
            writer.writerows([_plain(value) for value in row.values()] for row in rows)


def _plain(value: Any) -> Any:
    """Return lists as JSON; other values as they are."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def more_rows(total: int, shown: int) -> str:
    """Say how to see the rows of a table that a terminal does not show."""
    return f"… and {total - shown} more; to see them, add --limit {total}, --cell CELL, --json or --csv FILE"
