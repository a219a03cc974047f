"""Draw figures from arrays and rows with Matplotlib. Nothing here reads a store.

The modules of :mod:`kilocell.report` read the store and call these functions. ``style.py`` has colours and sizes;
``envelope.py`` reduces long time series without losing their extremes.
"""
