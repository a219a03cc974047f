"""Open the live page of a run, feed it, and close it. Whatever goes wrong with the page, the run goes on."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ...data.results.receipt import Receipt
from ...data.settings import ClusterSettings
from ...report.styles import Styles, make_styles
from ...sqlite import live_queries, queries
from ..cluster.workers import Workers, dashboard_options
from ..plan.job import Job, Key, SimulateWork
from ..worker.run_job import JobOutcome
from .state import LiveState

if TYPE_CHECKING:
    from .server import LiveApplication

DASK_PAGES: Final = ("status", "workers", "tasks", "graph")
"""Dask's pages that the live page links."""

FAREWELL_SECOND: Final = 1.5
"""How long the end of a run waits for browsers to get the last state, s; only if one is open."""

ASK_SECOND: Final = 1.0
"""Time between two questions which jobs run, s; workers report it about as often."""


class LivePage:
    """The live page of one run; before :meth:`open`, or without it, it does nothing.

    Args:
        report: called with one line of text that the user should read.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.address = ""
        self._report = report
        self._state: LiveState | None = None
        self._client: Any = None
        self._application: LiveApplication | None = None
        self._server: Any = None

    def open(self, workers: Workers, dashboard_address: str, name: str, jobs: Sequence[Job], catalog: Path) -> None:
        """Serve the page; its address is then in ``address``.

        Args:
            dashboard_address: HOST:PORT where the page is served if the scheduler is not in this process.
            name: of the campaign.
            jobs: every job of the run; those without a reason are up to date.
            catalog: path of the catalog.
        """
        # Bokeh and Dask's dashboard are slow to import, and a run without a dashboard needs neither.
        from ..cluster.dashboard import add_page, count_ended_tasks
        from .page import fill_document
        from .server import PATH, LiveApplication, serve

        state = LiveState(jobs)
        state.record_earlier(_earlier_rmse(catalog))
        running = _Running(workers)
        styles = _styles(jobs)
        root = workers.dashboard.rpartition("/")[0]
        base = "" if workers.scheduler is not None else f"{root}/"
        links = [(page, base + page) for page in DASK_PAGES] if workers.dashboard else []
        application = LiveApplication(
            lambda document: fill_document(document, state, styles, name, links, running.find),
            _hosts(workers.dashboard, dashboard_address),
        )

        async def start() -> str:
            application.open()
            if workers.scheduler is not None:
                count_ended_tasks(workers.scheduler)
                add_page(workers.scheduler, application, PATH)
                return f"{root}/{PATH}"
            host, _, port = str(dashboard_options(dashboard_address)["dashboard_address"]).rpartition(":")
            self._server, taken = serve(application, host, int(port))
            return f"http://{host}:{taken}/{PATH}"

        # Bokeh collects garbage for each browser that leaves. It need not look at what is there now: the scheduler's
        # event loop would stand still for 0.1 s.
        gc.freeze()
        self.address = workers.client.sync(start)
        self._state = state
        self._client = workers.client
        self._application = application

    def record(self, outcomes: Sequence[JobOutcome], receipts: Sequence[Receipt | None]) -> None:
        """Take in jobs that ended, with their receipts."""
        if self._state is None:
            return
        try:
            for outcome, receipt in zip(outcomes, receipts, strict=True):
                self._state.record(outcome, receipt)
        except Exception as error:
            self._state = None
            self._report(f"live       the live page is not up to date any more: {_describe(error)}")

    def close(self, how: str) -> None:
        """Show that the run ended; wait a moment for browsers that look, so that they keep the last state.

        Args:
            how: in words, such as ``finished``.
        """
        if self._state is not None:
            self._state.end(how)
        if self._application is not None:
            gc.unfreeze()
            self._client.sync(self._say_farewell, callback_timeout=2 * FAREWELL_SECOND)

    async def _say_farewell(self) -> None:
        assert self._application is not None
        if self._application.has_visitors():
            await asyncio.sleep(FAREWELL_SECOND)
        self._application.stop()
        if self._server is not None:
            self._server.stop()


class _Running:
    """Ask which jobs run; all browsers share one question every second or two.

    Args:
        workers: whose scheduler is asked.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._asked_second = -inf
        self._keys: list[Key] = []

    async def find(self) -> list[Key]:
        """Return the keys of the jobs that run."""
        from ..cluster.dashboard import running_keys

        now = time.monotonic()
        if now - self._asked_second >= ASK_SECOND:
            self._asked_second = now
            self._keys = await running_keys(self._workers.client, self._workers.scheduler)
        return self._keys


@contextmanager
def open_live_page(
    workers: Workers,
    settings: ClusterSettings,
    name: str,
    jobs: Sequence[Job],
    catalog: Path,
    report: Callable[[str], None],
) -> Iterator[LivePage]:
    """Serve the live page of a run until the ``with`` block ends; without a dashboard, there is none.

    Where the scheduler is in this process, the page is on the server of its dashboard. With a scheduler elsewhere, this
    process serves it at the dashboard's address in the settings.

    Args:
        name: of the campaign.
        jobs: every job of the run; those without a reason are up to date.
        catalog: path of the catalog, which is only read.
        report: called with one line of text that the user should read.
    """
    page = LivePage(report)
    if settings.dashboard_address != "none":
        try:
            page.open(workers, settings.dashboard_address, name, jobs, catalog)
        except Exception as error:
            report(f"live       there is no live page: {_describe(error)}; the run goes on without it")
    how = "was interrupted"
    try:
        yield page
        how = "finished"
    finally:
        try:
            page.close(how)
        except Exception as error:
            report(f"live       the live page could not be closed: {_describe(error)}")


def _earlier_rmse(catalog: Path) -> Iterable[tuple[str, str, float]]:
    with closing(queries.connect(catalog)) as connection:
        return live_queries.simulation_errors(connection)


def _styles(jobs: Sequence[Job]) -> Styles:
    models = dict.fromkeys(job.work.settings.model.name for job in jobs if isinstance(job.work, SimulateWork))
    return make_styles(list(models), [])


def _hosts(dashboard: str, address: str) -> set[str]:
    """Return the names under which the page may be reached, besides those of the loopback interface."""
    hosts = {urlsplit(dashboard).hostname or "", address.rpartition(":")[0].strip("[]")}
    if "0.0.0.0" in hosts:  # the user let every interface in
        hosts |= {socket.gethostname(), socket.getfqdn()}
    return hosts - {""}


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
