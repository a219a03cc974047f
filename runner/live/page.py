"""Make the live page for one browser, and keep it up to date while the browser looks."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from html import escape
from typing import Any, Final

import bokeh.events
from bokeh.core.templates import get_env
from bokeh.models import CustomJS, Div, InlineStyleSheet

from ...report.styles import Styles
from ..plan.job import Key
from .figures import LEGEND, GridFigure, RmseFigure
from .state import LiveState
from .texts import ENDED_CLASS, failures_html, rmse_html, shorten, stages_html, summary_html

UPDATE_MILLISECOND: Final = 500
"""Time between two looks at the state, ms."""

DIV_CSS: Final = """
:host { width: 100%; font: 14px/1.45 system-ui, sans-serif; color: #1a1a1a; }
.bk-clearfix { overflow-x: auto; }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; }
.tile { border: 1px solid #d5d9de; border-radius: 6px; padding: 6px 14px; background: #fff; }
.tile b { display: block; font-size: 20px; font-variant-numeric: tabular-nums; }
.tile span { color: #555; font-size: 12px; }
.tile.bad b { color: #b3122e; }
p { margin: 8px 0 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 2px 0 2px 16px; text-align: right; font-weight: normal; border-bottom: 1px solid #e4e6e9; }
thead th { color: #555; font-size: 12px; }
th:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; }
@media (max-width: 500px) { th, td { padding-left: 7px; } table { font-size: 12px; } }
ul { margin: 0; padding-left: 18px; }
ul.lines { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0 22px; }
ul.lines li { margin: 0; }
ul.lines i { display: inline-block; width: 26px; margin-right: 7px; vertical-align: 4px; }
li { margin-bottom: 8px; overflow-wrap: anywhere; }
code { font-size: 12px; background: #f1f2f4; padding: 0 3px; border-radius: 3px; }
"""

TEMPLATE: Final = """
{% block preamble %}
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body { font: 14px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; }
  .page { max-width: 1500px; margin: 0 auto; padding: 0 16px 24px; }
  header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 20px; padding: 12px 0 10px; }
  h1 { font-size: 19px; margin: 0; overflow-wrap: anywhere; }
  h2 { font-size: 15px; margin: 22px 0 6px; }
  nav { margin-left: auto; }
  nav a { color: #0b5cad; margin-left: 12px; }
  .legend { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 12px; }
  .legend i { display: inline-block; width: 12px; height: 12px; margin-right: 5px; vertical-align: -1px; }
  .two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 32px; }
  .notice { display: none; background: #fff4d6; border: 1px solid #e0b93a; border-radius: 6px; padding: 8px 14px; }
  body.lost .notice { display: block; }
  @media (max-width: 900px) { .two { grid-template-columns: minmax(0, 1fr); } }
</style>
{% endblock %}
{% block contents %}
{% from macros import embed %}
<div class="page">
<header><h1>kilocell: {{ heading }}</h1>
{% if links %}<nav aria-label="Dask's pages">Dask:
{%- for name, address in links %}<a href="{{ address }}">{{ name }}</a>{% endfor %}</nav>{% endif %}
</header>
<p class="notice" role="status">No connection to the run: it has ended, or the ssh tunnel is closed. This page shows the
last state. Results: <code>kilocell results</code></p>
<main>
{{ embed(roots.summary) }}
<h2 id="grid">{{ grid_heading }}</h2>
<div class="legend">{% for name, colour in legend %}<span><i style="background:{{ colour }}"></i>{{ name }}</span>
{% endfor %}</div>
{{ embed(roots.grid) }}
<div class="two">
<section><h2>Stages</h2>{{ embed(roots.stages) }}</section>
<section><h2>RMSE of the simulations so far</h2>{{ embed(roots.legend) }}{{ embed(roots.rmse) }}</section>
</div>
<section><h2>Failures by reason, newest first</h2>{{ embed(roots.failures) }}</section>
</main>
</div>
{% endblock %}
"""

_LOST: Final = """
if (!summary.text.includes(ended)) { document.body.classList.add("lost") }
"""
_FOUND: Final = "document.body.classList.remove('lost')"

logger = logging.getLogger(f"distributed.{__name__}")  # shown only with -v, as Dask's own log is


class Page:
    """The live page in one browser.

    Args:
        state: of the run.
        styles: colours of the models.
    """

    def __init__(self, state: LiveState, styles: Styles) -> None:
        self._state = state
        self._version = -1
        self._rmse_version = -1
        self._grid = GridFigure(state.stages, state.columns, state.codes())
        self._rmse = RmseFigure(styles)
        self._styles = styles
        sheet = InlineStyleSheet(css=DIV_CSS)
        self._summary, self._stages, self._legend, self._failures = (
            Div(disable_math=True, margin=0, sizing_mode="stretch_width", stylesheets=[sheet]) for _ in range(4)
        )
        self.roots = {
            "summary": self._summary,
            "grid": self._grid.root,
            "stages": self._stages,
            "legend": self._legend,
            "rmse": self._rmse.root,
            "failures": self._failures,
        }
        for name, root in self.roots.items():
            root.name = name
        self.update()

    @property
    def grid_source(self) -> Any:
        """The grid's ``ColumnDataSource``: its column ``image`` holds the states, the last stage first."""
        return self._grid.source

    def update(self) -> None:
        """Send what changed since the last time."""
        summary = self._state.summary()
        _set(self._summary, summary_html(summary))
        if self._version != self._state.version:
            self._version = self._state.version
            self._grid.update(self._state.codes())
            _set(self._stages, stages_html(summary.stages))
            _set(self._failures, failures_html(summary.failures, summary.reasons))
        if self._rmse_version != self._state.rmse_version:
            self._rmse_version = self._state.rmse_version
            rmse = self._state.rmse()
            self._rmse.update(rmse)
            _set(self._legend, rmse_html(rmse, self._styles))


def _set(div: Div, text: str) -> None:
    if div.text != text:
        div.text = text


def fill_document(
    document: Any,
    state: LiveState,
    styles: Styles,
    heading: str,
    links: Iterable[tuple[str, str]],
    find_running: Callable[[], Awaitable[Iterable[Key]]],
) -> None:
    """Fill the Bokeh document of one browser; nothing is done for it once the browser has left.

    Args:
        state: of the run.
        styles: colours of the models.
        heading: name of the campaign.
        links: name and address of Dask's pages.
        find_running: returns the keys of the jobs that run now.
    """
    page = Page(state, styles)
    for root in page.roots.values():
        document.add_root(root)
    document.title = f"kilocell: {shorten(heading)}"
    document.template = _template()
    document.template_variables.update(
        heading=escape(shorten(heading)),
        links=[(escape(name), escape(address)) for name, address in links],
        grid_heading=_grid_heading(state),
        legend=LEGEND,
    )
    config = getattr(document, "config", None)  # newer than the oldest Bokeh that may be installed, as are the events
    if config is not None and hasattr(config, "notify_connection_status"):
        config.notify_connection_status = False  # the page says it itself
    for name, code in (("ConnectionLost", _LOST), ("ClientReconnected", _FOUND)):
        event = getattr(bokeh.events, name, None)
        if event is not None:
            arguments = {"summary": page.roots["summary"], "ended": ENDED_CLASS}
            document.js_on_event(event, CustomJS(args=arguments, code=code))

    async def look() -> None:
        try:
            if not state.has_ended:
                state.set_running(await find_running())
            page.update()
        except Exception:
            logger.exception("the live page cannot be updated")
            document.remove_periodic_callback(callback)

    callback = document.add_periodic_callback(look, UPDATE_MILLISECOND)


@cache
def _template() -> Any:
    return get_env().from_string("{% extends base %}\n" + TEMPLATE)


def _grid_heading(state: LiveState) -> str:
    cells = f"{state.cells:,} cell{'s' if state.cells != 1 else ''} × {len(state.stages)} stages"
    widest = max((column.cells for column in state.columns), default=1)
    if widest > 1:
        return f"{cells} (up to {widest} cells in a column)"
    return cells
