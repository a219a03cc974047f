"""Parameter sets: PyBaMM's, those of files (BPX, ParameterValues JSON), and the table of what is in them.

The name or file of a set and overrides enter; PyBaMM's ``ParameterValues`` leave. ``sets`` loads them, ``files``
reads the campaign's own, ``capacity`` finds the nominal capacity, ``table`` lists parameters with units and sources.
"""
