"""What commands print about a store or a plan: tables in the terminal, or JSON.

A store enters; text leaves. One module per command; ``table.py`` lays out tables. Nothing here imports PyBaMM or Dask
at module level.
"""
