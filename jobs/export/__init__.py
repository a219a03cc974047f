"""Export of parameter sets: fitted sets as PyBaMM's ParameterValues (JSON) or as BPX.

A fitted set and its settings enter; a document that PyBaMM reads back to the same voltage leaves.
``values.py`` writes JSON, ``bpx.py`` the Battery Parameter eXchange format.
"""
