"""Readers of raw files: from any supported file to a raw table with standard columns and units.

Input: a path and its :class:`~kilocell.data.settings.SourceSettings`. Output: pandas frames with the columns of
:mod:`kilocell.data.columns`, in blocks or by cell. Rows that cannot be read are counted, not dropped.
Start with :mod:`kilocell.data.readers.read`. Text files pass through ``layout`` (delimiter, decimal sign, header),
``text_blocks`` and ``csv_reader``; Parquet files through ``parquet_reader``; cyclers' own binary files and workbooks
through ``cycler_files``. A new reader needs a module here and an entry in ``read.READERS``.
"""
