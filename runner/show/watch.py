"""Show how far a run is until it ends, from anywhere that sees its store: on a terminal in place, else in blocks."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ...data.errors import StoreError
from ..run.live_display import LiveDisplay
from .table import table
from .watch_view import HEADINGS, View, draw_view, read_view, stage_rows, view_dict, view_lines

if TYPE_CHECKING:
    from rich.console import RenderableType


def watch(root: Path, interval_second: float, json_: bool) -> None:
    """Show how far the last run of a store is, until it ends.

    Args:
        root: the store's folder, which is only read.
        interval_second: time between two looks, s.
        json_: print a line of JSON each time instead.

    Raises:
        StoreError: there is no catalog, or it cannot be read.
        SystemExit: a signal ended it; with the exit code of that signal.
    """
    try:
        _watch(root, interval_second, json_)
    except KeyboardInterrupt as stopped:  # nothing was interrupted but the looking
        raise SystemExit(getattr(stopped, "exit_code", 130)) from None


def _watch(root: Path, interval_second: float, json_: bool) -> None:
    screen = _Screen(read_view(root), json_)
    try:
        screen.show()
        while screen.view.goes_on:
            time.sleep(interval_second)
            try:
                screen.view = read_view(root)
            except StoreError:  # a run commits for long, for example: the next look may see it
                if not Path(root).exists():
                    raise
                continue
            screen.show()
    finally:
        screen.close()


class _Screen:
    """Where a view is shown.

    Args:
        view: the first one.
        json_: print lines of JSON.
    """

    def __init__(self, view: View, json_: bool) -> None:
        self.view = view
        self._json = json_
        self._shown: View | None = None
        self._live = LiveDisplay(sys.stdout, self._draw, is_plain=json_)

    def show(self) -> None:
        """Show the view if anything in it is new."""
        if self._live.is_terminal:
            self._live.start()
            self._live.refresh()
            return
        if self._shown is None or self._shown.changing != self.view.changing:
            print(self._text(), flush=True)
            self._shown = self.view

    def close(self) -> None:
        """Leave the last view on the terminal."""
        self._live.stop()

    def _draw(self, columns: int) -> RenderableType:
        return draw_view(self.view)

    def _text(self) -> str:
        if self._json:
            return json.dumps(view_dict(self.view), ensure_ascii=False)
        stages = table(HEADINGS, stage_rows(self.view)) if self.view.stages else ""
        block = "\n".join(view_lines(self.view, stages))
        return block if self._shown is None else f"\n{block}"
