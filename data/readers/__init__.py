"""Readers of raw files: from any supported file to a raw table with standard columns and units.

A path and its :class:`~kilocell.data.settings.SourceSettings` enter; pandas frames with the columns of
:mod:`kilocell.data.columns` leave, in blocks or by cell. Rows that cannot be read are counted, not dropped.
Start with :mod:`kilocell.data.readers.read`. Text goes through ``layout`` (delimiter, decimal sign, header),
``text_blocks`` and ``csv_reader``; Parquet through ``parquet_reader``; cyclers' own files through ``cycler_files``.
A new reader is a module here and an entry in ``read.py``.
"""
