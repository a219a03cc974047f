"""The report's page in a real browser: tables, cells' panels, zoom, names, dark mode, print, and what is read aloud."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser import WatchedPage, chromium, watched_page
from figure_bench import FITTED, Bench, record, simulation
from kilocell.parquet_store.layout import Store
from kilocell.report.html import charts, write
from kilocell.report.html.write import write_report
from kilocell.sqlite.catalog import Catalog
from report_stores import HOSTILE, HOSTILE_SET, fill_hostile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
CELLS = 70
"""Cells of the large store: enough for side files, pages of rows, and a drawn heatmap."""

PLOT = "document.querySelector('.plot').plot"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of many cells, with side files."""
    store = Store(tmp_path_factory.mktemp("large") / "store")
    with Catalog.open(store.catalog) as catalog:
        bench = Bench(store, catalog)
        for number in range(CELLS):
            measured = record(cycles=3)
            cell_id = f"CELL_{number:03d}"
            bench.clean(cell_id, measured)
            bench.simulate(cell_id, "SPM", "Chen2020", simulation(measured, 0.001 * (number + 1)))
            if number % 10:
                bench.simulate(cell_id, "DFN", "Chen2020", simulation(measured, 0.0005 * (number + 1)))
            else:
                bench.end(cell_id, "DFN", simulation(measured, np.linspace(0, 900, len(measured)))[:90])
        bench.simulate("CELL_000", "SPMe", FITTED, simulation(record(cycles=3), 0.0213))
        bench.fit("CELL_000", "radius", [21.3, 40.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "INLINE_BYTES", 0)
        return write_report(store.root).path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = Store(tmp_path_factory.mktemp("hostile") / "store")
    with Catalog.open(store.catalog) as catalog:
        fill_hostile(Bench(store, catalog))
    return write_report(store.root).path


def open_cell(page: Page, name: str) -> None:
    page.locator("#table").get_by_role("button", name=name, exact=True).first.click()
    page.get_by_role("heading", name=f"Cell {name}", exact=True).wait_for()
    page.locator(".plot[data-ready]").wait_for()


def table_rows(page: Page) -> list[list[str]]:
    rows = page.locator("#table tbody tr")
    return [[text.strip() for text in rows.nth(n).locator("th, td").all_inner_texts()] for n in range(rows.count())]


def clean(watched: WatchedPage) -> None:
    """No error in the console, no exception, and nothing asked of a network."""
    assert watched.errors == []
    assert watched.network == []


def test_search_sort_and_filter(browser: Browser, large: Path) -> None:
    with watched_page(browser, large.as_uri()) as watched:
        page = watched.page
        table = page.locator("#table")
        state = table.get_by_role("status")
        assert state.inner_text().startswith("141 rows, 1 to 25 shown; sorted by RMSE (mV), descending")
        assert table_rows(page)[0][0] == "CELL_069"
        heading = table.get_by_role("columnheader", name="RMSE (mV)")
        assert heading.get_attribute("aria-sort") == "descending"
        heading.get_by_role("button").press("Enter")
        assert heading.get_attribute("aria-sort") == "ascending"
        assert table_rows(page)[0][:2] == ["CELL_001", "SPM"] or float(table_rows(page)[0][4]) <= 1.0
        table.get_by_label("Model").select_option("SPMe")
        assert len(table_rows(page)) == 1
        table.get_by_role("button", name="Clear").click()
        table.get_by_role("searchbox").fill("cell_04 dfn")
        page.locator("#table .state", has_text="10 of 141 rows").wait_for()
        table.get_by_label("Status").select_option("failed")
        assert {row[0] for row in table_rows(page)} == {"CELL_040"}
        table.get_by_role("searchbox").fill("nothing like it")
        page.locator("#table .state", has_text="0 of 141 rows").wait_for()
        assert "No row matches." in table.inner_text()
        table.get_by_role("button", name="Clear").click()
        table.get_by_role("button", name="Next page").click()
        assert "Page 2 of 6" in table.inner_text()
        clean(watched)


def test_a_cell_opens_from_its_side_file_and_zooms(browser: Browser, large: Path) -> None:
    with watched_page(browser, large.as_uri()) as watched:
        page = watched.page
        assert not [url for url in watched.requests if url.endswith(".js")]
        open_cell(page, "CELL_069")
        assert [url for url in watched.requests if url.endswith("report_files/CELL_069.js")]
        assert page.evaluate("document.activeElement.id") == "cell-title"
        assert "#cell=CELL_069" in page.url
        plot = page.get_by_role("img", name=re.compile("Curves of cell CELL_069 from 0 to .* RMSE 70.0 mV"))
        assert plot.is_visible()
        whole = window(page)
        page.get_by_role("button", name="Zoom in").press("Enter")
        zoomed = window(page)
        assert zoomed[0] > whole[0]
        assert zoomed[1] < whole[1]
        page.get_by_label("Zoom to").select_option("cycle 2")
        assert window(page) == pytest.approx([1.0, 2.0], abs=0.05)
        page.get_by_role("button", name="Show the whole time").click()
        assert window(page) == pytest.approx(whole)
        drag(page, plot)
        boxed = window(page)
        assert whole[0] < boxed[0] < boxed[1] < whole[1]
        wheel(page, plot)
        assert window(page)[1] - window(page)[0] < boxed[1] - boxed[0]
        line = page.get_by_role("button", name=re.compile("1: SPM, Chen2020"))
        line.click()
        assert line.get_attribute("aria-pressed") == "false"
        clean(watched)
        page.go_back()
        page.goto(f"{large.as_uri()}#cell=CELL_013")
        page.reload()
        page.get_by_role("heading", name="Cell CELL_013").wait_for()


def window(page: Page) -> list[float]:
    found: list[float] = page.evaluate(f"[{PLOT}.x.start, {PLOT}.x.end]")
    return found


def drag(page: Page, plot: Any) -> None:
    """Zoom to a part of the voltage with the mouse."""
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 120, steps=5)
    page.mouse.up()
    page.wait_for_timeout(200)


def wheel(page: Page, plot: Any) -> None:
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 80)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -400)
    page.keyboard.up("Control")
    page.wait_for_timeout(300)


def test_a_failed_curve_does_not_set_the_axis(browser: Browser, large: Path) -> None:
    with watched_page(browser, f"{large.as_uri()}#cell=CELL_060") as watched:
        page = watched.page
        page.locator(".plot[data-ready]").wait_for()
        low, high = page.evaluate(f"[{PLOT}.voltage.y_range.start, {PLOT}.voltage.y_range.end]")
        assert 2.5 < low < high < 4.5
        assert page.get_by_role("button", name=re.compile("DFN, Chen2020: failed")).is_visible()
        clean(watched)


def test_a_side_file_that_is_gone_is_said(browser: Browser, large: Path) -> None:
    path = large.parent / "report_files" / "CELL_033.js"
    text = path.read_text()
    path.unlink()
    try:
        with watched_page(browser, f"{large.as_uri()}#cell=CELL_033") as watched:
            watched.page.get_by_text("report_files/CELL_033.js is not there").wait_for()
    finally:
        path.write_text(text)


def test_the_heatmap_opens_a_cell(browser: Browser, large: Path) -> None:
    assert CELLS > charts.FEW_CELLS
    with watched_page(browser, large.as_uri()) as watched:
        page = watched.page
        heatmap = page.get_by_role(
            "img", name=re.compile(r"RMSE of 70 cells, the worst first\. SPM, Chen2020: 1\.00 to 70\.0 mV")
        )
        heatmap.scroll_into_view_if_needed()
        heatmap.click(position={"x": 3, "y": 30})
        page.get_by_role("heading", name="Cell CELL_060").wait_for()
        clean(watched)


@pytest.mark.parametrize("cell_id", HOSTILE)
def test_names_are_text(browser: Browser, hostile: Path, cell_id: str) -> None:
    with watched_page(browser, hostile.as_uri()) as watched:
        page = watched.page
        page.on("dialog", lambda dialog: watched.errors.append(f"dialog: {dialog.message}"))
        page.locator("#table").get_by_role("button", name=cell_id, exact=True).first.click()
        page.locator(".plot[data-ready]").wait_for()
        assert page.locator("#cell-title").inner_text() == f"Cell {' '.join(cell_id.split())}"
        assert HOSTILE_SET in page.locator(".lines").inner_text()
        plot = page.locator(".plot")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 100)
        page.wait_for_timeout(200)
        assert page.locator("img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        clean(watched)


@pytest.mark.parametrize("width", [390, 1000, 1900])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_of_any_width_in_light_and_dark(browser: Browser, large: Path, width: int, scheme: Any) -> None:
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    with watched_page(browser, large.as_uri(), **options) as watched:
        page = watched.page
        open_cell(page, "CELL_069")
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background))) < 150) == (scheme == "dark")
        assert page.locator(".plot").get_attribute("data-drawn") == scheme
        clean(watched)


def test_printed_tables_have_all_rows(browser: Browser, large: Path) -> None:
    with watched_page(browser, large.as_uri(), color_scheme="dark") as watched:
        page = watched.page
        open_cell(page, "CELL_069")
        page.evaluate(
            "addEventListener('beforeprint', () => {"
            " window.printed = document.querySelectorAll('#table tbody tr').length })"
        )
        content = page.pdf(prefer_css_page_size=True)
        assert content.startswith(b"%PDF")
        assert page.evaluate("printed") == 141
        assert len(table_rows(page)) == 25
        page.emulate_media(media="print")
        assert not page.locator("#table .controls").is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_what_a_screen_reader_reads(browser: Browser, large: Path) -> None:
    with watched_page(browser, large.as_uri()) as watched:
        page = watched.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        open_cell(page, "CELL_069")
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map((h) => Number(h.tagName[1]))")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
        assert page.evaluate(
            "[...document.querySelectorAll('table')].every((t) => t.caption && t.querySelector('th[scope]'))"
        )
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button, select, input, [role=img], [role=region]')].filter((e) => "
            "!(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || "
            "e.textContent.trim() || e.labels?.length))"
            ".map((e) => e.outerHTML.slice(0, 100))"
        )
        assert unnamed == []
        tree = page.locator("body").aria_snapshot()
        for line in (
            'link "Skip to the content"', 'heading "Overview" [level=2]', 'navigation "Sections"',
            'search "Simulations"',
            'button "Previous page" [disabled]', 'heading "Cell CELL_069" [level=2]', 'button "Zoom in"',
        ):  # fmt: skip
            assert line in tree
        clean(watched)
