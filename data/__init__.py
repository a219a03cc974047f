"""What all packages share: columns, frozen values, errors, units and sign, readers, results, synthetic cells.

It imports none of the other packages. Start with ``columns.py`` (the names and units of all columns) and
``settings.py`` (what a job is asked to do). ``results/`` holds what jobs return, ``readers/`` reads raw files, and
``synthetic/`` makes cells with known truth.
"""
