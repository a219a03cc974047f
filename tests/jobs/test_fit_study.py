"""A few fits of the study (``fit_study.py``): intervals that hold the truth, starts at the noise floor."""

from __future__ import annotations

import pytest
from fit_study import FLOOR, fitted, markdown


@pytest.mark.slow
def test_fits_of_known_cells_are_true() -> None:
    fits = [fitted("diffusion", seed, "SPMe", "white", "known", 2) for seed in range(0, 18, 3)]
    told = [p for fit in fits for p in fit["parameters"]]
    assert sum(p["inside"] for p in told) >= 9, "of 12; 95 % would be 11.4"
    assert all(p["verdict"] != "well" or abs(p["value"] / p["true"] - 1.0) < 0.02 for p in told)
    assert all(end <= FLOOR * fit["floor_mv"] for fit in fits for end in fit["starts"])
    assert markdown(fits).count("\n") == 9


@pytest.mark.slow
def test_a_start_finds_its_way_back_from_where_an_electrode_runs_empty() -> None:
    """Six parameters at once: the second start begins where the voltage is off by kilovolts."""
    fit = fitted("ohmic+kinetic+diffusion+start", 14, "SPMe", "white", "known", 2)
    assert all(end <= FLOOR * fit["floor_mv"] for end in fit["starts"])
