"""Parameter sets: PyBaMM's own, those of files (BPX or JSON of ``ParameterValues``), and what they contain.

A set's name or file and overrides go in; PyBaMM's ``ParameterValues`` come out. ``sets`` loads them and applies
overrides, ``files`` reads a campaign's own files, ``capacity`` finds a cell's capacity, ``table`` lists parameters with
their units.
"""
