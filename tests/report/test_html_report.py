"""The report's page: what it holds, that names are text in it, and what damaged or unfinished stores give."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_bench import Bench, record, simulation
from kilocell.data import columns as c
from kilocell.data.errors import StoreError
from kilocell.parquet_store.layout import safe_name
from kilocell.parquet_store.write import write_frame
from kilocell.report.html import encode, write
from kilocell.report.html.charts import FEW_CELLS, Group, colour_of, distributions, heatmap
from kilocell.report.html.curves import read_curves
from kilocell.report.html.tables import unit_words
from kilocell.report.html.write import write_report
from kilocell.sqlite.catalog import Catalog
from report_stores import HOSTILE, fill_hostile, read_panel, read_series

SECTIONS = (
    "overview", "errors", "worst", "table", "cell", "cleaning", "budget", "fits", "failures", "provenance", "method",
)  # fmt: skip


class Elements(HTMLParser):
    """Every start tag with its attributes, and the content of the scripts by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._script = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self._script = dict(attrs).get("id") or f"script-{len(self.scripts)}"

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._script = ""

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts["report-data"])
        return found


def page_of(bench: Bench, **options: Any) -> tuple[str, Elements]:
    report = write_report(bench.store.root, **options)
    text = report.path.read_text(encoding="utf-8")
    return text, Elements(text)


def test_a_page_has_every_section_and_all_simulations(two_cells: Bench) -> None:
    _, page = page_of(two_cells)
    ids = {attributes.get("id") for tag, attributes in page.tags if tag == "section"}
    assert ids == set(SECTIONS)
    table = page.data["tables"]["simulations"]
    keys = [column["key"] for column in table["columns"]]
    assert len(table["rows"]) == 7
    rmse = {(row[0], row[1], row[2]): row[keys.index("rmse_mv")] for row in table["rows"]}
    assert rmse["CELL_A", "SPMe", "Chen2020"] == pytest.approx(75.9, rel=1e-3)
    assert rmse["CELL_A", "SPM", "Chen2020"] is None
    assert {"fits", "parameters", "failures"} <= set(page.data["tables"])
    panel = json.loads(page.scripts["cell-0"])
    assert panel["id"] == "CELL_A"
    assert [each["status"] for each in panel["simulations"]].count("failed") == 1
    assert panel["fits"][0]["name"] == "radius"
    assert page.data["tables"]["parameters"]["rows"][0][2] == "Negative particle radius"


def test_nothing_is_loaded_from_a_network(two_cells: Bench) -> None:
    text, page = page_of(two_cells)
    for tag, attributes in page.tags:
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            assert not re.match(r"\s*(https?:)?//", attributes.get(name) or ""), (tag, attributes)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and "Content-Security-Policy" in a.values()]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_names_are_text(bench: Bench) -> None:
    fill_hostile(bench)
    text, page = page_of(bench)
    assert "alert" not in "".join(tag + str(attributes) for tag, attributes in page.tags if tag not in ("div", "svg"))
    assert not [tag for tag, attributes in page.tags if tag == "img" or "onerror" in attributes]
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert "<script>" not in markup
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in markup
    assert page.data["cells"] == sorted(HOSTILE)
    for number, cell_id in enumerate(sorted(HOSTILE)):
        assert json.loads(page.scripts[f"cell-{number}"])["id"] == cell_id
    assert "<" not in page.scripts["report-data"]


def test_many_cells_have_side_files_with_safe_names(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_hostile(bench)
    monkeypatch.setattr(write, "FEW_CELLS", 2)
    monkeypatch.setattr(write, "INLINE_BYTES", 30_000)
    out = bench.store.root / "my report.html"
    report = write_report(bench.store.root, out)
    folder = bench.store.root / "my report_files"
    assert report.folder == folder
    assert {path.name for path in folder.iterdir()} == {f"{safe_name(cell_id)}.js" for cell_id in HOSTILE}
    assert report.side_bytes == sum(path.stat().st_size for path in folder.iterdir())
    page = Elements(out.read_text(encoding="utf-8"))
    assert not [name for name in page.scripts if name.startswith("cell-")]
    for number, name in enumerate(page.data["files"]):
        assert read_panel(folder / name) == (number, page.data["cells"][number])


def test_side_files_of_an_earlier_report_go_and_others_stay(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "FEW_CELLS", 0)
    monkeypatch.setattr(write, "INLINE_BYTES", 0)
    folder = two_cells.store.root / "report_files"
    folder.mkdir()
    (folder / "gone.js").write_text("kilocellCell(7,{});")
    (folder / "mine.js").write_text("var mine;")
    write_report(two_cells.store.root)
    assert not (folder / "gone.js").exists()
    assert (folder / "mine.js").exists()
    monkeypatch.undo()
    write_report(two_cells.store.root)
    assert [path.name for path in folder.iterdir()] == ["mine.js"]


def test_a_damaged_and_a_missing_file_are_named_and_the_rest_is_shown(two_cells: Bench) -> None:
    store = two_cells.store
    store.simulation("CELL_A", "SPMe-Chen2020").write_bytes(b"PAR1 no more")
    store.cleaned("电池/一号").unlink()
    report = write_report(store.root)
    assert len(report.problems) == 2
    assert "SPMe-Chen2020 of CELL_A" in report.problems[0]
    assert "电池/一号" in report.problems[1]
    text = report.path.read_text(encoding="utf-8")
    assert "Files that could not be read" in text
    panel = json.loads(Elements(text).scripts["cell-0"])
    assert panel["problems"] == report.problems[:1]
    assert panel["curves"]["simulated"].count(False) == 1
    assert any(panel["curves"]["simulated"])


def test_an_empty_store(bench: Bench) -> None:
    text, page = page_of(bench)
    assert "This store has no cells yet" in text
    assert "No simulation has an RMSE yet" in text
    assert page.data["heatmap"] is None
    assert page.data["tables"] == {}


def test_a_store_with_only_cleaning(bench: Bench) -> None:
    bench.clean("A", record(cycles=1))
    text, page = page_of(bench)
    assert "nothing was simulated" in text
    panel = json.loads(page.scripts["cell-0"])
    assert panel["curves"]["drawn"] == 240
    assert panel["simulations"] == []


def test_a_store_with_only_failures(bench: Bench) -> None:
    bench.clean("A", record(cycles=1))
    bench.fail("A", "SPM", "Chen2020")
    text, page = page_of(bench)
    assert "Cells of which every simulation failed: 1" in text
    assert page.data["tables"]["failures"]["rows"]
    assert "–" in text


def test_what_is_not_current_is_shown_with_all_only(two_cells: Bench) -> None:
    with Catalog.open(two_cells.store.catalog) as catalog:
        catalog._connection.execute("UPDATE simulations SET standing = 'of an earlier campaign' WHERE model = 'DFN'")
    text, page = page_of(two_cells)
    models = {row[1] for row in page.data["tables"]["simulations"]["rows"]}
    assert models == {"SPM", "SPMe"}
    assert "kilocell report --all" in text
    _, page = page_of(two_cells, everything=True)
    table = page.data["tables"]["simulations"]
    assert table["columns"][-1]["key"] == "standing"
    assert {row[-1] for row in table["rows"] if row[1] == "DFN"} == {"of an earlier campaign"}


def test_a_folder_is_not_a_report(two_cells: Bench, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is a folder: give a file"):
        write_report(two_cells.store.root, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="nothing was run in this store"):
        write_report(tmp_path / "empty", tmp_path / "a.html")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        write_report(two_cells.store.root, tmp_path / "file" / "a.html")


# Curves


def test_thinned_curves_keep_the_extremes(bench: Bench) -> None:
    measured = record(cycles=40, samples=40_000)
    measured.loc[12_345, c.VOLTAGE] = 4.9
    measured.loc[23_456, c.CURRENT] = -77.0
    error = np.full(len(measured), 0.01)
    error[31_001] = -0.4
    bench.clean("A", measured)
    bench.simulate("A", "SPM", "Chen2020", simulation(measured, error))
    row = {"cell_id": "A", "label": "SPM-Chen2020"}
    curves = read_curves(bench.store, "A", [row], 1500).data
    assert curves is not None
    assert curves["drawn"] < 1600
    assert curves["samples"] == 40_000
    hours, volts, amperes, errors = read_series(curves)
    assert volts[np.nanargmax(volts)] == pytest.approx(4.9, abs=1e-4)
    assert hours[np.nanargmax(volts)] == pytest.approx(measured[c.TEST_TIME][12_345] / 3600, abs=1e-5)
    assert amperes.min() == pytest.approx(-77.0, abs=1e-3)
    assert np.nanmin(errors[0]) == pytest.approx(-0.4, abs=1e-4)
    assert np.nanmax(errors[0]) == pytest.approx(0.01, abs=1e-4)


def test_only_simulated_cycles_are_shown_and_holes_stay(bench: Bench) -> None:
    measured = record(cycles=6, samples=600)
    bench.clean("A", measured)
    part = measured[measured[c.CYCLE_COUNT].isin([1, 4])]
    bench.simulate("A", "SPM", "Chen2020", simulation(part, 0.01))
    curves = read_curves(bench.store, "A", [{"cell_id": "A", "label": "SPM-Chen2020"}], 1500).data
    assert curves is not None
    assert [cycle[0] for cycle in curves["cycles"]] == [1, 4]
    assert len(curves["stretches"]) == 2
    assert (curves["samples"], curves["of"]) == (200, 600)


def test_a_simulation_of_an_earlier_cleaning_is_not_drawn(bench: Bench) -> None:
    measured = record(cycles=2)
    bench.clean("A", measured)
    bench.simulate("A", "SPM", "Chen2020", simulation(measured, 0.01))
    moved = measured.assign(**{c.TEST_TIME: measured[c.TEST_TIME] + 0.5})
    write_frame(bench.store, bench.store.cleaned("A"), moved, {})
    curves = read_curves(bench.store, "A", [{"cell_id": "A", "label": "SPM-Chen2020"}], 1500)
    assert "earlier cleaning" in curves.problems[0]
    assert curves.data is not None
    assert curves.data["simulated"] == [False]


@pytest.mark.parametrize("values", [[1.0, np.nan, 3.0], [2.5, 2.5], [np.nan], [-1e4, 5.0]])
def test_series_are_encoded_to_the_tenth_of_a_millivolt(values: list[float]) -> None:
    wanted = np.array(values)
    found = encode_and_back(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=5.1e-5)


def encode_and_back(values: Any) -> Any:
    from report_stores import decode

    return decode(encode.encode_series(values, encode.COARSEST_VOLT))


def test_json_has_no_markup_and_no_nan() -> None:
    text = encode.to_json({"a": "</script><!--", "b": [float("nan"), 1 / 3], "c": "电 & \ud800"})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": "</script><!--", "b": [None, 0.333333], "c": "电 & \ud800"}


# All cells at once


def test_medians_are_compared_over_the_same_cells() -> None:
    spm = Group("SPM", "X", "#000000", (), {f"c{n}": 10.0 + n for n in range(10)}, {"c10": "failed"})
    dfn = Group("DFN", "X", "#000000", (), {f"c{n}": 5.0 + n for n in range(6)})
    fitted = Group("SPM", "X+fit", "#000000", (), {"c0": 1.0})
    table = distributions([spm, dfn, fitted])
    assert table["common"] == 6
    assert [row["common"] for row in table["rows"]] == [12.5, 7.5, None]
    assert [row["failed"] for row in table["rows"]] == [1, 0, 0]
    assert 3 <= len(table["ticks"]) <= 8


def test_a_heatmap_of_many_cells_is_numbers_and_of_few_a_table() -> None:
    cells = [f"c{n}" for n in range(FEW_CELLS + 1)]
    group = Group("SPM", "X", "#000000", (), {cell: 1.0 + n for n, cell in enumerate(cells[1:])}, {"c0": "failed"})
    many = heatmap([group], cells)
    assert not many["few"]
    assert many["values"][0][:2] == [-1.0, 1.0]
    few = heatmap([group], cells[:5])
    assert few["few"]
    assert few["boxes"][0][1][0]["text"] == "failed"
    assert colour_of(1.0, 1.0, 10.0) == (254, 232, 56)  # as in the figures: bright is small
    assert colour_of(99.0, 1.0, 10.0) == (0, 34, 78)


@pytest.mark.parametrize(
    ("unit", "words"),
    [("m2.s-1", "m²\u00a0s⁻¹"), ("", ""), ("A.h", "A\u00a0h"), ("Ohm", "Ohm"), ("mol.m-3", "mol\u00a0m⁻³")],
)
def test_units_are_written_as_in_figures(unit: str, words: str) -> None:
    assert unit_words(unit) == words


def test_a_store_is_named_by_its_folder(two_cells: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two_cells.store.root)
    report = write_report(Path(), Path("again.html"))
    assert f"<h1>{two_cells.store.root.name}</h1>" in report.path.read_text(encoding="utf-8")
