"""Compare the simulation with a fitted parameter set with the fit, over the samples that were fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ...data import columns as c
from ...data.arrays import Mask
from ...data.fit_check import describe_fit_difference
from ...data.fit_settings import FitSettings
from ...data.results.fitting import FitResult
from ...data.results.simulation import SimulationResult
from ...data.selected_spans import find_spans, make_index, spans_mask


def check_against_fit(
    result: SimulationResult, frame: pd.DataFrame, samples: pd.DataFrame, fit: FitResult
) -> SimulationResult:
    """Return the result of a simulation with its RMSE over the fitted samples, and how that differs from the fit.

    Args:
        result: of the simulation with the fitted set.
        frame: its time series.
        samples: the cell's partition.
        fit: whose values were simulated.
    """
    times = samples[c.TEST_TIME].to_numpy()[_fitted_samples(samples, fit.settings)]
    error = frame["voltage_error_volt"].to_numpy()[np.isin(frame[c.TEST_TIME].to_numpy(), times)]
    error = error[np.isfinite(error)]
    rmse_mv = 1e3 * float(np.sqrt(np.mean(error**2))) if len(error) else None
    return replace(result, fitted_rmse_mv=rmse_mv, fit_difference=describe_fit_difference(fit, result, rmse_mv))


def _fitted_samples(samples: pd.DataFrame, settings: FitSettings) -> Mask:
    """Tell which samples are fitted, shape (samples,)."""
    fitted = np.ones(len(samples), bool)
    if settings.select is not None:
        fitted = spans_mask(find_spans(settings.select, make_index(samples)), len(samples))
    elif settings.cycles:
        fitted = samples[c.CYCLE_COUNT].isin(settings.cycles).to_numpy()
    if settings.objective.step_types:
        fitted = fitted & samples[c.STEP_TYPE].isin(settings.objective.step_types).to_numpy()
    return fitted
