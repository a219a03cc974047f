"""Write docs/schema.md and its diagram from sqlite/schema.sql.

Usage: python docs/figures/schema.py [--out docs]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
from kilocell.report.draw.schema import draw_schema
from kilocell.sqlite.describe import Column, Table, describe_schema

IMAGE = "images/schema.svg"
HEAD = f"""# The catalog: tables, views, columns

`catalog.sqlite` in a store holds everything except the time series. This page and its diagram are made from
`sqlite/schema.sql` by `python docs/figures/schema.py`.

- Units end the names of columns: `_mv` is mV, `_ah` is A.h.
- Current and net charge are positive when they charge the cell; charge and energy "in" and "out" are both positive.
  Errors are simulated - measured.
- NULL means "not known"; it is never 0. Lists and maps are JSON. Paths are relative to the store.
- **Views show what is current.** Tables keep everything that was ever computed: their column `standing` says what
  still counts ([questions](questions.md#what-is-current)). Ask the views; [recipes](recipes.md) has examples.

![Tables of the catalog, their keys and references]({IMAGE})
"""
SERIES = """
The time series are Parquet files beside the catalog. [Recipes](recipes.md) reads them with DuckDB, polars, pandas and
pyarrow.

- `cleaned/CELL.parquet`: `cell_id`, then `PARTITION_COLUMNS` of `data/columns.py`: time, voltage, current, cycle, step,
  temperatures, flags, source row.
- `quarantine/CELL.parquet`: `cell_id`, the raw values of each row that cleaning put aside, and its `rule`;
  absent if there are none.
- `simulations/CELL/LABEL.parquet`: `cell_id`, `model`, `parameter_set`, then `SIMULATION_COLUMNS`, and the campaign's
  [outputs](models.md).
"""


def page(tables: Sequence[Table]) -> str:
    """Return the text of docs/schema.md."""
    views = [table for table in tables if table.is_view]
    parts = [HEAD, "## Time series", SERIES, "## Views", ""]
    parts += [f"- [`{table.name}`](#{table.name}): {table.about}" for table in views if not is_copy(table)]
    copies = ", ".join(f"`{table.name}`" for table in views if is_copy(table))
    parts += [f"- {copies}: the current rows of the tables of these names.", "", "## Tables as text", ""]
    parts += ["```mermaid", "erDiagram", *mermaid(tables), "```", ""]
    for table in tables:
        if not is_copy(table):
            parts += section(table)
    return "\n".join(parts)


def is_copy(table: Table) -> bool:
    """Tell whether a view has the columns of a table."""
    return table.is_view and table.name.startswith("current_")


def mermaid(tables: Sequence[Table]) -> Iterator[str]:
    """Yield the lines of a Mermaid diagram, which GitHub draws."""
    for table in tables:
        for reference in table.references:
            line = "--" if reference.owns else ".."
            yield f'    {reference.table} ||{line}o{{ {table.name} : "{", ".join(reference.columns)}"'


def section(table: Table) -> list[str]:
    """Return the lines about a table or view."""
    lines = [f"## {table.name}", "", f"{'View' if table.is_view else 'Table'}. {table.about}", ""]
    if table.key:
        lines += [f"Key: {', '.join(f'`{name}`' for name in table.key)}.", ""]
    for reference in table.references:
        what = "belongs to" if reference.owns else "refers to"
        names = ", ".join(f"`{name}`" for name in reference.columns)
        lines += [f"{names} {what} [`{reference.table}`](#{reference.table}).", ""]
    lines += ["| column | type | unit | meaning |", "|---|---|---|---|"]
    return [*lines, *(row(column) for column in table.columns), ""]


def row(column: Column) -> str:
    """Return a row of the table of columns."""
    meaning = column.about.replace("|", "\\|").replace("<", "&lt;")
    return f"| `{column.name}` | {column.type.lower()} | {column.unit} | {meaning} |"


def main() -> None:
    """Write the page and the diagram."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1])
    out: Path = parser.parse_args().out
    tables = describe_schema()
    (out / "images").mkdir(parents=True, exist_ok=True)
    (out / "schema.md").write_text(page(tables), encoding="utf-8")
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kilocell"}):
        draw_schema(tables).savefig(out / IMAGE, metadata={"Date": None})


if __name__ == "__main__":
    main()
