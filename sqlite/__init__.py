"""The catalog: its schema, migrations, the only code that writes it, and the queries that users need.

Results of jobs enter as values; rows leave. ``schema.sql`` is the place to start, then ``catalog.py`` (writes) and
``queries.py`` (reads). No other package executes SQL.
"""
