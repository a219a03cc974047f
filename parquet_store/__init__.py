"""The files of a store: where they are, how they are written atomically, and how they are read.

Frames and receipts enter and leave. Start with ``layout.py``. ``write.py`` writes to a temporary name and renames;
``journal.py`` keeps what an unfinished start of a fit has found.
"""
