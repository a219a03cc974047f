"""Page and diagram of the catalog's schema are those of sqlite/schema.sql, and say something of every column."""

from __future__ import annotations

import importlib.util
import re
from html import unescape
from pathlib import Path
from types import ModuleType

import pytest
from kilocell.data.units import unit_of
from kilocell.report.draw.schema import draw_schema
from kilocell.sqlite import describe
from kilocell.sqlite.catalog import Catalog
from kilocell.sqlite.describe import Column, Reference, Table, count_rows, describe_schema
from kilocell.sqlite.queries import connect
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[2] / "docs"
TABLES = describe_schema()
ADVICE = "python docs/figures/schema.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schema_page", DOCS / "figures" / "schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_page_is_that_of_the_schema(script: ModuleType) -> None:
    assert (DOCS / "schema.md").read_text(encoding="utf-8") == script.page(TABLES), ADVICE


def test_the_diagram_is_that_of_the_schema() -> None:
    drawn = (DOCS / "images" / "schema.svg").read_text(encoding="utf-8")
    written = [unescape(text) for text in re.findall(r"<text [^>]*>([^<]*)</text>", drawn)]
    assert sorted(written) == sorted(text for text in texts(draw_schema(TABLES)) if text), ADVICE


def test_every_column_has_a_meaning_and_every_table_too() -> None:
    assert [table.name for table in TABLES if not table.about] == []
    unsaid = [f"{table.name}.{column.name}" for table in TABLES for column in table.columns if not column.about]
    assert unsaid == [], "add a comment behind the column in schema.sql, or a word to the list at its top"


def test_a_new_table_changes_page_and_diagram(script: ModuleType) -> None:
    columns = (Column("cell_id", "TEXT", 1, False, "", "the cell"), Column("pulse", "INTEGER", 2, False, "", "number"))
    added = Table("pulses", False, "Pulses.", columns, (Reference(("cell_id",), "clean_reports", True),))
    alone = Table("notes", False, "Notes.", (Column("note", "TEXT", 1, False, "", "text"),))
    tables = (*TABLES, added, alone)
    assert script.page(tables) != script.page(TABLES)
    assert "clean_reports ||--o{ pulses" in script.page(tables)
    assert {"pulses", "notes", "Other"} <= set(texts(draw_schema(tables)))


def test_every_table_and_reference_is_drawn_and_no_text_leaves_its_lane() -> None:
    figure = draw_schema(TABLES)
    drawn = texts(figure)
    assert {table.name for table in TABLES if not table.is_view} <= set(drawn)
    referred = {ref.table for table in TABLES for ref in table.references if not ref.owns}
    assert {text.removeprefix("→ ") for text in drawn if text.startswith("→ ") and " refers" not in text} == referred
    figure.canvas.draw()
    axes = figure.axes[0]
    shown = [text for text in axes.texts if text.get_text()]
    boxes = [(text.get_window_extent().transformed(axes.transData.inverted()), text) for text in shown]
    for box, text in boxes:
        place, words = text.get_position()[0], text.get_text()
        lanes = 2 if words.startswith(("Views", "→ refers", "Bold")) or "," in words else 1
        assert box.x1 <= int(place) + lanes, words
        others = [other for other, it in boxes if it is not text and it.get_position()[0] == place]
        assert not any(box.overlaps(other) for other in others), words


def test_the_schema_of_an_actual_catalog_and_its_rows(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "catalog.sqlite"):
        pass
    connection = connect(tmp_path / "catalog.sqlite")
    assert describe_schema(connection) == TABLES
    assert set(count_rows(connection)) == {table.name for table in TABLES if not table.is_view}
    counts = dict.fromkeys(count_rows(connection), 1) | {"findings": 12_345}
    drawn = texts(draw_schema(TABLES, counts, (13.3, 6.5)))
    assert any("12,345 rows" in text for text in drawn)
    assert any(text.endswith(" · 1 row") for text in drawn)
    connection.close()


def test_comments_are_found_behind_columns_and_before_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    describe._comments.cache_clear()
    script = (
        "-- Head.\n--   kind, sort: a word\n\n-- About things;\n-- and more.\nCREATE TABLE things (\n"
        "    kind       TEXT PRIMARY KEY,\n    weight_mv  REAL CHECK (weight_mv IN (0, 1)),  -- of it; NULL: none\n"
        "    a          TEXT REFERENCES things (kind)\n) STRICT;\n"
        "CREATE VIEW v AS SELECT weight_mv, 1 AS sort FROM things;\n"
    )
    monkeypatch.setattr(describe, "schema", lambda: script)
    things, view = describe_schema()
    describe._comments.cache_clear()
    assert things.about == "About things; and more."
    assert [(column.about, column.unit) for column in things.columns] == [
        ("a word", ""), ("of it; NULL: none", "mV"), ("", ""),
    ]  # fmt: skip
    assert [column.about for column in view.columns] == ["of it; NULL: none", "a word"]
    assert things.references == (Reference(("a",), "things", False),)


@pytest.mark.parametrize(
    ("column", "unit"),
    [("rmse_mv", "mV"), ("charge_out_ah", "A.h"), ("seconds", "s"), ("samples", ""), ("temperature_celsius", "degC"),
     ("coulombic_efficiency_percent", "%"), ("electrolyte_max_mol_per_m3", "mol.m-3"), ("first_second", "s")],
)  # fmt: skip
def test_units_are_the_ends_of_names(column: str, unit: str) -> None:
    assert unit_of(column) == unit
