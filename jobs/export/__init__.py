"""Export of parameter sets: as PyBaMM's ``ParameterValues`` (JSON) or as BPX.

A set, fitted or not, goes in; a document that PyBaMM reads back to the same voltage comes out. ``values`` writes JSON,
``bpx`` the Battery Parameter eXchange format.
"""
