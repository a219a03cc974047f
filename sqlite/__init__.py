"""The catalog of a store: its schema, its migrations, the code that writes it, and the queries that read it.

Start with ``schema.sql``, then ``catalog.py`` (writes), ``queries.py`` and ``fit_queries.py`` (reads). ``rows.py`` and
``fit_rows.py`` turn results of jobs into rows. No other package executes SQL.
"""
