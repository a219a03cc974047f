"""The report of a store: one HTML file that needs no network; start with ``write.py``.

``content.py`` reads the catalog, ``curves.py`` and ``cell_details.py`` what the panel of a cell shows, ``charts.py``
and ``tables.py`` what the page shows of all cells. ``page.html``, the style sheet and the scripts beside them lay it
out; the scripts build every element from text, never from HTML.
"""
