"""The live page of a run: a Bokeh application on the server of Dask's dashboard.

Jobs and the receipts of those that ended enter; a page in the browser leaves. Start with ``live_page.py``. The state of
the run (``state.py``, ``grid.py``, ``rates.py``, ``failures.py``, ``rmse.py``) knows neither Bokeh nor Dask.
``page.py`` and ``figures.py`` draw it, ``texts.py`` writes it as HTML, ``server.py`` serves it.
"""
