"""What all packages share: columns, frozen values, errors, units and sign, readers, results, synthetic cells.

It imports none of the other packages. Start with ``columns.py`` (names and units of all columns) and ``settings.py``
(the inputs of jobs). ``results/`` holds what jobs return, ``readers/`` reads raw files, and ``synthetic/`` makes cells
whose true parameters are known.
"""
