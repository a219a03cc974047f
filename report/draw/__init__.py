"""Drawing: each figure from plain arrays and rows, with Matplotlib; nothing here reads a store.

The modules in :mod:`kilocell.report` read the store and call these functions. ``style.py`` holds colours and sizes,
``envelope.py`` thins long series without losing their extremes.
"""
