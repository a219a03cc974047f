"""Headless Chromium for tests of pages: it records what goes wrong in a page and what the page asks the network for.

A test module defines its own fixtures from these two::

    @pytest.fixture(scope="module")
    def browser() -> Iterator[Browser]:
        with chromium() as started:
            yield started

    def test_a_page(browser: Browser) -> None:
        with watched_page(browser, path.as_uri()) as watched:
            watched.page.get_by_role("button", name="Open").click()
            assert watched.errors == []
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
"""Names under which systems install Chromium."""


@dataclass
class WatchedPage:
    """An open page, and what happened in it so far."""

    page: Page
    errors: list[str] = field(default_factory=list)
    """Uncaught exceptions, and the console's errors and warnings."""

    requests: list[str] = field(default_factory=list)
    """Addresses of all requests."""

    @property
    def network(self) -> list[str]:
        """The requests that go to a network: those of other schemes than file, data and blob."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's headless Chromium; skip the test if Chromium or playwright is absent."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(browser: Browser, url: str, **options: Any) -> Iterator[WatchedPage]:
    """Open a page in a context of its own, and watch it from its first request on.

    Args:
        browser: from :func:`chromium`.
        url: what to open.
        options: of ``Browser.new_context``, such as ``viewport`` or ``color_scheme``.
    """
    context = browser.new_context(**options)
    try:
        page = context.new_page()
        watched = WatchedPage(page)
        page.on("pageerror", lambda error: watched.errors.append(f"exception: {error}"))
        page.on("console", lambda message: _note(watched, message.type, message.text))
        page.on("request", lambda request: watched.requests.append(request.url))
        page.goto(url)
        yield watched
    finally:
        context.close()


def _note(watched: WatchedPage, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        watched.errors.append(f"{kind}: {text}")
