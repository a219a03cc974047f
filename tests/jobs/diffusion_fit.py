"""The fit of two diffusivities to nine pulses, and the truth it should find."""

from __future__ import annotations

from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings

NEGATIVE = "Negative particle diffusivity [m2.s-1]"
POSITIVE = "Positive particle diffusivity [m2.s-1]"
TRUTH = (1.2e-14, 2.0e-15)

FIT = FitSettings(
    name="diffusion",
    cell=CellSettings("CELL", 5.0, InitialState("soc", 0.8), 25.0),
    model=ModelSettings("SPM", "SPM"),
    parameter_set=ParameterSetSettings("Chen2020", "Chen2020"),
    parameters=(FitParameter(NEGATIVE, 1e-15, 1e-12, "log"), FitParameter(POSITIVE, 1e-16, 1e-13, "log")),
    starts=3,
    seed=7,
)
