"""The files of a store: their paths, atomic writes, and reads.

Start with ``layout.py`` (paths). ``write.py`` writes to a temporary name and renames; ``read.py`` reads;
``receipts.py`` reads receipts, most of which are in Parquet files (``embedded.py``); ``split_rows.py`` has raw rows of
many cells in few files; ``journal.py`` keeps the evaluations of a start of a fit, so that an interrupted start can
continue.
"""
