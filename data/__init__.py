"""The column contract, frozen values, errors, units and signs, readers of raw files, synthetic cells."""
