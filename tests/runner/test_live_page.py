"""The live page of real runs in headless Chromium, and a page of a thousand cells."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import distributed
import pytest
from browser import WatchedPage, chromium, watched_page
from campaigns import PATIENCE_SECOND, kilocell, lines, started, write_campaign
from kilocell.data.settings import ClusterSettings
from kilocell.runner.cluster.open import open_cluster
from kilocell.runner.live import live_page
from kilocell.runner.plan.job import Job
from kilocell.runner.worker.run_job import JobOutcome

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE: Final = "<img src=x onerror=alert(1)> $$x^2$$ & €"
RUN: Final = ("run", "campaign.toml", "--no-plots", "--workers", "1", "--dashboard-address", "127.0.0.1:0")
TEXT_SCRIPT: Final = """() => {
  const silent = ["STYLE", "SCRIPT"]
  const read = node => {
    if (node.nodeType === 3) { return node.data }
    if (silent.includes(node.tagName)) { return "" }
    return (node.shadowRoot ? read(node.shadowRoot) : "") + [...node.childNodes].map(read).join(" ")
  }
  return read(document.body)
}"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


def write_cells(folder: Path, names: Sequence[str]) -> None:
    """Write a campaign of cells, and one file that nothing can read."""
    for name in names:
        (folder / f"{name}.csv").write_text(lines(name), encoding="utf-8")
    (folder / "broken.csv").write_text("datetime,cell_id,current_A,voltage_V\n" + "?,?,?,?\n" * 50, encoding="utf-8")
    write_campaign(folder)


def addresses(run: subprocess.Popen[str]) -> dict[str, str]:
    """Return the addresses that a run prints at its start, by the first word of their lines; then read on."""
    assert run.stderr is not None
    found = {}
    while "running" not in found:
        line = run.stderr.readline()
        assert line, run.wait()
        word, _, rest = line.strip().partition(" ")
        found[word] = rest.strip()
    threading.Thread(target=run.stderr.read, daemon=True).start()  # a full pipe would stop the run
    return found


def text_of(watched: WatchedPage) -> str:
    """Return the text of the page, with that of Bokeh's shadow trees."""
    return " ".join(str(watched.page.evaluate(TEXT_SCRIPT)).split())


def wait_for(watched: WatchedPage, condition: Callable[[str], object]) -> str:
    """Wait until the page's text fulfils a condition, and return the text."""
    deadline = time.monotonic() + PATIENCE_SECOND
    while not condition(text := text_of(watched)):
        assert time.monotonic() < deadline, text
        watched.page.wait_for_timeout(100)
    return text


def test_the_page_of_a_run_fills_in_while_one_looks(browser: Browser, tmp_path: Path) -> None:
    write_cells(tmp_path, ["CELL_A", HOSTILE, "CELL_C", "CELL_D"])
    with started(*RUN, cwd=tmp_path) as run:
        printed = addresses(run)
        root = printed["dashboard"].removesuffix("/status")
        assert printed["live"] == f"{root}/kilocell"
        with watched_page(browser, printed["live"]) as watched:
            watched.page.on("dialog", lambda dialog: watched.errors.append(dialog.message))
            first = wait_for(watched, lambda text: "jobs per minute" in text)
            assert "kilocell: small" in first
            assert re.search(r"5 cells × \d stages", first)
            wait_for(watched, lambda text: re.search(r"SPM: \d, median", text))
            watched.page.reload()  # the state is in the process of the run
            wait_for(watched, lambda text: "SPM: " in text)
            last = wait_for(watched, lambda text: "The run finished." in text)
            errors, pictures = list(watched.errors), watched.page.locator("img").count()
            networks = {url.split("/")[2] for url in watched.network}
        assert run.wait(PATIENCE_SECOND) == 1  # a file cannot be read
    assert "SPM: 4, median" in last
    assert "broken" in last.partition("Failures by reason")[2]
    assert errors == []
    assert pictures == 0
    assert networks == {root.removeprefix("http://")}  # nothing comes from elsewhere


def test_dask_pages_link_the_live_page(browser: Browser, tmp_path: Path) -> None:
    with open_page(tmp_path, synthetic_jobs(3)) as live, watched_page(browser, live.address) as watched:
        watched.page.get_by_role("link", name="workers").click()
        link = watched.page.get_by_role("link", name="Kilocell", exact=True)
        link.click()
        wait_for(watched, lambda text: "3 cells × 3 stages" in text)


def test_a_run_without_a_dashboard_has_no_live_page(tmp_path: Path) -> None:
    write_cells(tmp_path, ["CELL_A"])
    done = kilocell(*RUN[:-1], "none", cwd=tmp_path, expect=1)
    assert "http://" not in done.stderr


def test_with_a_scheduler_elsewhere_the_run_serves_the_page_itself(browser: Browser, tmp_path: Path) -> None:
    write_cells(tmp_path, [f"CELL_{number:02d}" for number in range(40)])  # the page is open as long as the run
    cluster = distributed.LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    )
    with cluster, started(*RUN, "--cluster", cluster.scheduler_address, cwd=tmp_path) as run:
        printed = addresses(run)
        assert printed["live"].endswith("/kilocell")
        assert printed["live"].split("/")[2] != cluster.dashboard_link.split("/")[2]
        with watched_page(browser, printed["live"]) as watched:
            last = wait_for(watched, lambda text: "The run finished." in text)
            errors = list(watched.errors)
        assert run.wait(PATIENCE_SECOND) == 1
    assert "SPM: 40, median" in last
    assert errors == []


def synthetic_jobs(cells: int) -> list[Job]:
    """Jobs of three stages; nobody runs them."""
    return [
        Job(cast(Any, kind), f"C{number:04d}", "x", stage, "", cast(Any, None), (), "never run before")
        for number in range(cells)
        for kind, stage in (("clean", "clean"), ("simulate", "simulate-SPM"), ("fit", "fit-x"))
    ]


@contextmanager
def open_page(folder: Path, jobs: Sequence[Job]) -> Iterator[live_page.LivePage]:
    """Open the live page of jobs that a test ends itself."""
    settings = ClusterSettings(workers=1, dashboard_address="127.0.0.1:0")
    said: list[str] = []
    with (
        open_cluster(settings, "test", folder, said.append) as workers,
        live_page.open_live_page(workers, settings, "test", jobs, folder / "none", said.append) as live,
    ):
        assert said == []
        yield live


@pytest.fixture(autouse=True)
def no_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_page, "_earlier_rmse", lambda catalog: [])


def test_of_a_thousand_cells_only_what_changed_is_sent(browser: Browser, tmp_path: Path) -> None:
    jobs = synthetic_jobs(1000)
    sizes: list[int] = []
    with open_page(tmp_path, jobs) as live, watched_page(browser, live.address) as watched:
        watched.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: sizes.append(len(data))))
        watched.page.reload()
        wait_for(watched, lambda text: "1,000 cells × 3 stages" in text and "since the start" in text)
        whole = sum(sizes)
        sizes.clear()
        for start in range(0, 600, 30):
            batch = jobs[start : start + 30]
            outcomes = [JobOutcome(job.key, "failed" if n % 10 == 0 else "done", "no") for n, job in enumerate(batch)]
            live.record(outcomes, [None] * len(outcomes))
            watched.page.wait_for_timeout(100)
        assert "60 jobs" in wait_for(watched, lambda text: "600 / 3,000" in text)
        assert watched.errors == []
    # The picture of all boxes is sent again only where very many changed since the last frame: on a late machine.
    content = sorted(size for size in sizes if size > 100)
    assert content[len(content) // 2] < whole / 4, content
    assert len(sizes) < 20 * 10  # a few frames twice a second, however many jobs end


def test_a_page_of_another_site_gets_no_connection(tmp_path: Path) -> None:
    """Any web page may ask a browser to open a WebSocket to this machine; only pages of this machine get one."""
    from tornado.httpclient import HTTPClientError, HTTPRequest
    from tornado.websocket import websocket_connect

    with open_page(tmp_path, synthetic_jobs(1)) as live:
        address = live.address.replace("http://", "ws://") + "/ws"

        async def connect() -> None:
            request = HTTPRequest(address, headers={"Origin": "http://elsewhere.example"})
            await websocket_connect(request, subprotocols=["bokeh", "token"])

        with pytest.raises(HTTPClientError, match="403"):
            distributed.Client.current().sync(connect)  # type: ignore[no-untyped-call]
