"""A record and its parts: charge between samples, steps, cycles, noise, and units of a cell's samples.

Frames with the columns of :mod:`kilocell.data.columns` enter; arrays and small values leave. The other subpackages of
:mod:`kilocell.jobs` build on this one, and it imports none of them. Start with ``record.py`` (the arrays of a record)
and ``charge.py`` (the one definition of charge between samples).
"""
