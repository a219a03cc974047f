"""Slides: their numbers are the catalog's, nothing overflows or overlaps, and every store has six pages."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from figure_bench import FITTED, Bench, record, simulation
from kilocell.data import columns as c
from kilocell.data import fit_settings
from kilocell.data.errors import StoreError, UsageError
from kilocell.data.results import cleaning
from kilocell.data.results.receipt import Receipt
from kilocell.data.settings import CellSettings, ModelSettings, ParameterSetSettings
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_frame
from kilocell.report.cleaning_marks import RuleMarks
from kilocell.report.raw_rows import BeforeAndAfter
from kilocell.report.slides import content as k
from kilocell.report.slides.markdown import escape, to_markdown
from kilocell.report.slides.page import LEAST, PAGE, Page, cut, text_width, wrap
from kilocell.report.slides.pages import draw_pages
from kilocell.report.slides.scaling import read_rates
from kilocell.report.slides.stretch import choose_stretch
from kilocell.report.slides.words import amount, amounts, count, duration, median, percent, size
from kilocell.report.slides.write import read_deck, write_slides
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog
from matplotlib.axis import Axis
from matplotlib.text import Text

HOSTILE = (
    "<script>alert(1)</script>",
    "$x_1^2$ | `a` **b** \\n",
    "cell 😀 one",
    "电池/一号",
    "long_" + "x" * 195,
    "100 % & more\nlines",
)
OVERLAP_PIXELS = 2.0


def clean(
    bench: Bench, cell_id: str, rules: tuple[str, ...] = ("voltage_spike", "duplicate_row", "time_gap", "lost_contact")
) -> None:
    """Record a cleaned cell with a finding of each rule."""
    frame = record(cycles=2)
    bench.catalog.put_cell(CellSettings(cell_id), ())
    output = write_frame(bench.store, bench.store.cleaned(cell_id), frame, {})
    seen = tuple(
        cleaning.Finding(rule, "warning", 2, 0, 10 * number, 1, 3, "9.9 V", "3.7 V", "interpolated")
        for number, rule in enumerate(rules)
    )
    report = cleaning.CleanReport(
        cell_id, 245, 240, 5, 3600.0, 7200.0, 9.0, 9.9, 10.0, 10.0, 3, 2, 6, 6, seen,
        charge_changes=(cleaning.ChargeChange("voltage_spike", 0.9, 0.0),),
    )  # fmt: skip
    cycles = tuple(cleaning.CycleSummary(n, 0.0, 9.0, 120, 2, 4.9, 5.0, 18.1, 17.9, 2.5, 4.2, 25.5) for n in (1, 2))
    receipt = Receipt("clean", cell_id, "clean", "d", "done", outputs=(output,), started_unix_second=1e9, seconds=2.0)
    bench.catalog.record(replace(receipt, result=cleaning.CleanResult(report, cycles)), None)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Cells of hostile names, each cleaned, simulated and fitted; some simulations failed."""
    store = Store(tmp_path_factory.mktemp("hostile") / "store")
    with Catalog.open(store.catalog) as catalog:
        bench = Bench(store, catalog)
        for number, cell_id in enumerate(HOSTILE):
            clean(bench, cell_id)
            measured = record(cycles=2)
            bench.simulate(cell_id, "SPMe", "Chen2020", simulation(measured, 0.02 + 0.01 * number))
            bench.simulate(cell_id, "SPMe", replace(FITTED, name=f"set {cell_id}"), simulation(measured, 0.01))
            bench.fail(cell_id, "SPM", "Chen2020")
            bench.fit(cell_id, f"fit of {cell_id}"[:60], [21.3, 40.0])
    return store


@pytest.fixture(scope="module")
def deck(hostile: Store) -> k.Deck:
    """What the slides of these cells say."""
    return read_deck(hostile)


def ask(store: Store, statement: str) -> Any:
    """Return the only value of the only row of a query that is not one of the project's."""
    with closing(sqlite3.connect(store.catalog)) as catalog:
        (row,) = catalog.execute(statement).fetchall()
    return row[0]


def element(deck: k.Deck, page: int, kind: type) -> Any:
    return next(panel.element for panel in deck.slides[page].panels if isinstance(panel.element, kind))


def texts_of(page: Page) -> list[tuple[str, float, tuple[float, float, float, float]]]:
    """Every visible text of a page: what it says, its size, and its box in pixels."""
    renderer = page.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    page.figure.draw(renderer)
    ticks: list[Text] = []
    for axis in page.figure.findobj(Axis):
        assert isinstance(axis, Axis)
        if axis.axes.axison:
            ticks += [text for text in axis.get_ticklabels() if text.get_text()]
    free = [text for axes in page.figure.axes for text in axes.texts]
    found = []
    for text in (*ticks, *free):
        if text.get_visible() and text.get_text().strip():
            box = text.get_window_extent(renderer)
            found.append((text.get_text(), float(text.get_fontsize()), (box.x0, box.y0, box.x1, box.y1)))
    return found


def assert_readable(deck: k.Deck) -> None:
    """Every text is at least 14 points, inside the page, and on no other text."""
    for page in draw_pages(deck):
        found = texts_of(page)
        assert len(found) >= 3
        dots = page.figure.dpi
        for text, points, (left, bottom, right, top) in found:
            assert points >= LEAST, text
            assert min(left, bottom) >= 0, text
            assert right <= PAGE[0] * dots, text
            assert top <= PAGE[1] * dots, text
        for (one, _, a), (other, _, b) in itertools.combinations(found, 2):
            across = min(a[2], b[2]) - max(a[0], b[0])
            along = min(a[3], b[3]) - max(a[1], b[1])
            assert across <= OVERLAP_PIXELS or along <= OVERLAP_PIXELS, f"{one!r} is on {other!r}"


def test_numbers_are_those_of_the_catalog(hostile: Store, deck: k.Deck) -> None:
    assert len(deck.slides) == 6
    findings = ask(hostile, "SELECT count(*) FROM findings")
    assert f"{findings} findings of 4 kinds in {len(HOSTILE)} cells" in deck.slides[0].title
    bars = element(deck, 0, k.Bars)
    assert sum(bar.value for bar in bars.rows) == findings
    rows = element(deck, 0, k.Lines)
    assert any("No raw rows" in line for line in rows.lines)
    entities = {entity.name: entity.rows for entity in element(deck, 2, k.Diagram).entities}
    assert {name: ask(hostile, f"SELECT count(*) FROM {name}") for name in entities} == entities
    changes = element(deck, 3, k.Changes).rows
    assert {round(change.before, 1) for change in changes} == {75.9}
    assert {round(change.after, 1) for change in changes} == {21.3}
    medians = {bar.label: bar.value for bar in element(deck, 4, k.Bars).rows}
    default = [20 + 10 * number for number in range(len(HOSTILE))]
    assert medians["SPMe, default sets"] == pytest.approx(float(np.median(default)), rel=1e-3)


def test_the_charge_is_the_sum_over_the_cells(deck: k.Deck) -> None:
    (lines,) = [panel.element for panel in deck.slides[0].panels if panel.heading == "Charge and rows"]
    assert isinstance(lines, k.Lines)
    assert "Charge in: 54.00 → 59.40 A h (+10 %)" in lines.lines
    assert "Charge out: 60.00 → 60.00 A h (unchanged)" in lines.lines
    assert "Changed most by: voltage spike (5.4 A h)" in lines.lines


def test_references_of_the_diagram_are_those_of_the_catalog(deck: k.Deck) -> None:
    links = set(element(deck, 2, k.Diagram).links)
    assert {("simulations", "cells"), ("simulations", "models"), ("findings", "clean_reports")} <= links
    assert {("cells", "sources"), ("sources", "cells")} <= links  # many rows to many
    assert ("models", "simulations") not in links


def test_nothing_overflows_or_overlaps_with_hostile_names(deck: k.Deck) -> None:
    assert_readable(deck)


def test_the_pdf_has_six_pages_of_text(deck: k.Deck, tmp_path: Path) -> None:
    write_slides(deck, tmp_path / "one.pdf", markdown=False)
    written = (tmp_path / "one.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b(?!s)", written)) == 6
    assert b"/ToUnicode" in written  # its text can be searched and copied


@pytest.mark.slow
def test_the_same_deck_gives_the_same_bytes(deck: k.Deck, tmp_path: Path) -> None:
    for name in ("one.pdf", "two.pdf"):
        write_slides(deck, tmp_path / name, markdown=False)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


def test_markdown_has_the_same_numbers_and_no_markup_of_names(deck: k.Deck) -> None:
    text = to_markdown(deck)
    assert text.count("\n## ") == 6
    assert "<script>" not in text.replace("\\<script\\>", "")
    for slide in deck.slides:
        assert escape(slide.title) in text
    for change in element(deck, 3, k.Changes).rows:
        assert escape(change.text) in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4, 5, 6), line


def test_a_store_without_anything_says_what_to_run(tmp_path: Path) -> None:
    store = Store(tmp_path / "empty")
    Catalog.open(store.catalog).close()
    deck = read_deck(store)
    assert len(deck.slides) == 6
    text = to_markdown(deck)
    for command in ("kilocell clean", "kilocell run", "kilocell fit --preset diffusion", "kilocell simulate"):
        assert f"`{command}`" in text or command in text
    assert_readable(deck)


def test_a_store_with_only_cleaned_cells(bench: Bench) -> None:
    clean(bench, "one")
    deck = read_deck(bench.store)
    assert "1 cell" in deck.slides[0].title
    assert "no fit is planned" in deck.slides[3].title
    assert_readable(deck)


def test_a_store_with_only_failures(bench: Bench) -> None:
    clean(bench, "one", rules=())
    bench.fail("one", "SPM", "Chen2020")
    deck = read_deck(bench.store)
    assert "found nothing" in deck.slides[0].title
    flow = element(deck, 1, k.Flow)
    assert any("1 failed" in line for box in flow.boxes for line in box.lines)


def test_more_fits_than_rows_are_said(deck: k.Deck) -> None:
    changes = element(deck, 3, k.Changes)
    assert len(changes.rows) == 5
    assert "1 more fit improves less" in changes.note


def test_failed_fits_say_why_and_what_to_run(bench: Bench) -> None:
    clean(bench, "one")
    settings = fit_settings.FitSettings(
        "radius", CellSettings("one"), ModelSettings("SPMe", "SPMe"), ParameterSetSettings("Chen2020", "Chen2020"),
        (fit_settings.FitParameter("Negative particle radius [m]", 0.5, 2.0),),
    )  # fmt: skip
    failed = Receipt("fit", "one", "radius", "d", "failed", "every start failed", "no_start")
    bench.catalog.record(failed, None, settings=settings)
    deck = read_deck(bench.store)
    assert "1 fit failed" in deck.slides[3].title
    (lines,) = [panel.element for panel in deck.slides[3].panels]
    assert isinstance(lines, k.Lines)
    assert "1 of them: every start failed" in lines.lines
    assert "kilocell status" in lines.lines


def test_many_fits_are_shown_as_medians(bench: Bench) -> None:
    for number in range(8):
        clean(bench, f"c{number}")
        bench.fit(f"c{number}", "radius", [10.0 + number])
    changes = element(read_deck(bench.store), 3, k.Changes)
    assert changes.rows[0].after == pytest.approx(13.5)
    assert "8 cells" in changes.rows[0].label
    assert changes.note == "medians over the cells"


def test_the_rate_is_measured_from_the_jobs(bench: Bench) -> None:
    for number in range(4):
        clean(bench, f"c{number}")
    with closing(queries.connect(bench.store.catalog)) as catalog:
        rates = read_rates(catalog, 4_000)
    assert rates is not None
    assert rates.core_second_per_cell == pytest.approx(2.0)
    assert rates.project(1000, 16) == pytest.approx(1000 * 2.0 / 16)
    assert rates.bytes_per_cell == pytest.approx(1000.0)
    table = element(read_deck(bench.store), 5, k.Table)
    assert [row[0] for row in table.rows] == ["projected"] * 6  # no run is recorded


def test_a_damaged_file_is_named(deck: k.Deck) -> None:
    assert len(deck.warnings) == 3
    assert all("cell" in warning for warning in deck.warnings)


def before_and_after(rows: int = 600) -> Iterator[tuple[BeforeAndAfter, list[RuleMarks]]]:
    """A ramp with a spike at sample 400, before and after cleaning."""
    samples = record(cycles=2, samples=rows)
    samples[c.VOLTAGE] = np.linspace(3.0, 4.0, rows)
    raw = samples.copy()
    raw.loc[400, c.VOLTAGE] = 4.9
    samples[c.SOURCE_ROW] = np.arange(rows)
    touched = np.zeros(rows, dtype=bool)
    touched[400] = True
    quarantined = raw.iloc[:0].assign(rule="")
    yield BeforeAndAfter(samples, raw, quarantined), [RuleMarks("voltage_spike", 1, touched, np.zeros(0, bool), True)]


def test_the_stretch_has_the_change_in_its_middle() -> None:
    for found, marks in before_and_after():
        stretch = choose_stretch("B1", found, marks)
        assert stretch.caption == "B1: voltage spike"
        assert abs(int(np.nanargmax(np.abs(stretch.raw - stretch.cleaned))) - len(stretch.raw) // 2) <= 1
        assert stretch.quantity == "Voltage (V)"


def test_a_record_that_cleaning_left_alone_says_so() -> None:
    for found, _ in before_and_after():
        alone = BeforeAndAfter(found.samples, found.samples, found.quarantined)
        assert "changed no value" in choose_stretch("B1", alone, []).caption


@pytest.mark.parametrize(
    ("name", "markdown", "said"), [("a.md", False, "--markdown"), ("a.pdf", True, "--markdown"), (".", False, "folder")]
)
def test_a_file_name_of_the_other_format_is_refused(tmp_path: Path, name: str, markdown: bool, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        write_slides(k.Deck("", "", ()), tmp_path / name, markdown=markdown)


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing was run in this store yet"):
        read_deck(Store(tmp_path))


def test_texts_are_cut_and_wrapped_by_their_width() -> None:
    long = "word " * 50
    lines = wrap(long, 3.0, 16.0, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert all(text_width(line, 16.0) <= 3.0 for line in lines)
    assert text_width(cut("x" * 300, 2.0, 14.0), 14.0) <= 2.0
    assert cut("short", 2.0, 14.0) == "short"


def test_numbers_as_words() -> None:
    assert [count(1, "cell"), count(2000, "entry"), count(2, "replay")] == ["1 cell", "2,000 entries", "2 replays"]
    assert [amount(None), amount(0.0), amount(1234.5), amount(1.2), amount(-0.5, 2)] == [
        "unknown", "0", "1,234", "1.20", "−0.50",
    ]  # fmt: skip
    assert amounts(37.27, 37.301) == "37.27 → 37.30"
    assert [duration(None), duration(0.02), duration(42), duration(5400), duration(90_000)] == [
        "unknown", "20 ms", "42 s", "90 min", "25 h",
    ]  # fmt: skip
    assert duration(4e5) == "4.6 days"
    assert [size(None), size(999), size(1_300_000)] == ["unknown", "999 B", "1.3 MB"]
    assert [percent(2.59), percent(-0.001), percent(-3.0)] == ["+2.6 %", "unchanged", "−3 %"]
    assert median([None, 1.0, 3.0]) == 2.0
    assert median([None]) is None
