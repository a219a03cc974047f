"""A search that stops at the steep edge of the model's range has found no minimum, and begins again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kilocell.data.fit_settings import PRESETS, FitSettings
from kilocell.data.readers.read import guess_settings, read_raw
from kilocell.data.settings import CellSettings, CleanSettings, ModelSettings, ParameterSetSettings
from kilocell.data.step_selection import StepSelection, parse_select
from kilocell.jobs.cleaning.clean import clean
from kilocell.jobs.fitting import fit
from kilocell.jobs.fitting.evaluations import Best


@pytest.mark.slow
def test_a_start_that_stops_at_the_edge_of_the_range_begins_again(shared_data: Path) -> None:
    """A discharge of 0.5C: between these diffusivities and the minimum, the positive particles run full."""
    path = shared_data / "lgm50_digatron" / "25degC" / "Cell785_0p5C_25degC.csv"
    samples = clean(read_raw(path, guess_settings(path), "A"), "A", CleanSettings()).samples
    discharge = parse_select("discharge 1")
    assert isinstance(discharge, StepSelection)
    settings = FitSettings(
        *("diffusion", CellSettings("A", 5.0), ModelSettings("SPMe", "SPMe")),
        *(ParameterSetSettings("Chen2020", "Chen2020"), PRESETS["diffusion"]),
        starts=2,
        select=discharge,
        fit_initial_soc="never",
    )
    stuck = fit.run_start(samples, settings, 1, None)
    assert stuck.converged
    assert stuck.rmse_mv < 17.5  # 97 mV at the edge
    assert "begun again, away from the edge of the model's range" in stuck.message


@pytest.mark.parametrize(("cost", "point", "words"), [(3.0, 0.9, "begun again"), (9.0, 0.1, "is at the edge")])
def test_the_better_of_both_ends_counts(cost: float, point: float, words: str) -> None:
    class Searched:
        best = Best(5.0, np.array([0.1]))
        converged = True

        def find_solvable_point(self, first: Any, default: Any) -> Any:
            return first

        def run(self, first: Any) -> tuple[Any, str]:
            np.testing.assert_allclose(first, 0.3)
            self.best = Best(cost, np.array([0.9]))
            return self.best.unit, "the second end."

    searched: Any = Searched()
    found, message = fit._search_from_wall(searched, np.array([0.1]), "the first end.", np.array([0.5]))
    assert found[0] == point
    assert words in message
    assert searched.best.unit[0] == point
