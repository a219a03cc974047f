"""Serve the live page: as an application for the server of Dask's dashboard, or on a port of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from bokeh.application import Application
from bokeh.application.handlers import Handler
from bokeh.resources import Resources
from bokeh.server.tornado import BokehTornado
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets

PATH: Final = "kilocell"
"""Path of the page."""

UNUSED_MILLISECOND: Final = 5000
"""Time after which nothing more is done for a browser that has left, ms; within it, the browser may come back."""


class _FillDocument(Handler):  # type: ignore[misc]
    """Fill each new document in another thread: this takes longer than the scheduler's event loop may stand still.

    Args:
        fill: fills the Bokeh document of one browser.
    """

    def __init__(self, fill: Callable[[Any], None]) -> None:
        super().__init__()
        self._fill = fill

    async def on_session_created(self, session_context: Any) -> None:
        """Fill the document of a browser that has come; it is used by nothing else yet."""
        await session_context.with_locked_document(self._fill_aside)

    def modify_document(self, doc: Any) -> None:
        """Do nothing: the document is filled already."""

    async def _fill_aside(self, document: Any) -> None:
        await IOLoop.current().run_in_executor(None, self._fill, document)


class LiveApplication(BokehTornado):  # type: ignore[misc]
    """The Bokeh application of the live page.

    Only pages of this machine's own addresses may open its WebSocket, so that no web page elsewhere can read what runs
    here. Bokeh's environment variable ``BOKEH_ALLOW_WS_ORIGIN`` overrides this, for a proxy.

    Args:
        fill: fills the Bokeh document of one browser.
        hosts: names and addresses under which the server is reached, besides those of the loopback interface.
    """

    def __init__(self, fill: Callable[[Any], None], hosts: Iterable[str]) -> None:
        origins = {f"{host}:*" for host in ("127.0.0.1", "localhost", *hosts)}
        super().__init__(
            {f"/{PATH}": Application(_FillDocument(fill))},
            use_index=False,
            absolute_url="",
            extra_websocket_origins=sorted(origins),
            unused_session_lifetime_milliseconds=UNUSED_MILLISECOND,
            check_unused_sessions_milliseconds=UNUSED_MILLISECOND,
        )

    def resources(self, absolute_url: str | bool | None = True) -> Resources:
        """Return where the page finds Bokeh's scripts: relative to the page, so that it works behind a proxy, too."""
        return super().resources(absolute_url)

    def open(self) -> None:
        """Begin to serve; call this in the event loop that serves it."""
        self.initialize(IOLoop.current())
        self.start()

    def has_visitors(self) -> bool:
        """Tell whether any browser looks."""
        return any(context.sessions for context in self.applications.values())


def serve(application: LiveApplication, host: str, port: int) -> tuple[HTTPServer, int]:
    """Serve an application on a port of this process; call this in the event loop.

    Args:
        port: 0 = any free one.

    Returns:
        The server and its port.
    """
    sockets = bind_sockets(port, host)
    server = HTTPServer(application)
    server.add_sockets(sockets)
    return server, int(sockets[0].getsockname()[1])
