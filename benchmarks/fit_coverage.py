"""How often the true value is inside the 95 % interval of a fit, for several kinds of residuals.

Usage: python benchmarks/fit_coverage.py --out STUDY [--cases white,ou-3000,...] [--fits 40]   fit; goes on where it was
       python benchmarks/fit_coverage.py --out STUDY --profiles [--fits 20]                  two parameters, profiles
       python benchmarks/fit_coverage.py --out STUDY --table                                 print the tables

Each fit is a synthetic cell (Chen2020; 1250 samples over 5.6 h: pulses, C/2, 1C, CCCV) whose parameters are drawn: both
diffusivities and exchange-current densities, and the state of charge at the start. Its optimum is kept (residuals and
slopes), so that another way to compute intervals needs no new fits. The column "by autocorrelation" is such a way: the
variance of the residuals, times their autocorrelation time (Sokal 1997), as kilocell computed intervals until 2026.
Verdicts are those of kilocell, by its own function, for both kinds of intervals.
"""

from __future__ import annotations

import argparse
import os
import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "jobs"))

import numpy as np
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import INITIAL_SOC, PRESETS, FitObjective, FitParameter, FitSettings, Loss
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings
from kilocell.data.verdict_words import verdict_kind
from kilocell.jobs.fitting.fit import combine_starts, describe_optimum, run_start
from kilocell.jobs.fitting.noise_model import Series
from kilocell.jobs.fitting.objective import make_objective
from kilocell.jobs.fitting.profile_likelihood import compute_profile
from kilocell.jobs.fitting.search import Search
from kilocell.jobs.fitting.starts import to_scaled
from kilocell.jobs.fitting.uncertainty import Optimum, Priors, estimate_uncertainty
from kilocell.jobs.fitting.verdicts import ModelError, describe_certainty
from known_cells import DIFFUSION, KINETIC, Floats, Truth, draw, measured
from numpy.typing import NDArray
from scipy.stats import t as student

PARAMETERS = (*PRESETS["kinetic"], *PRESETS["diffusion"], FitParameter(INITIAL_SOC, 0.7, 1.0))
PROFILED = tuple(p for p in PARAMETERS if p.name in (KINETIC[1], DIFFUSION[0]))
PROFILED_CASES = ("white", "ou-300")
NOISE_VOLT = 2e-3
QUANTISED_NOISE_VOLT = 3e-4
STEP_VOLT = 1e-3
OUTLIER_SHARE = 0.05
OUTLIER_VOLT = 0.05
LOSS_MV = 5.0
PRIOR_DEVIATION = 0.02
LEAST_FOR_WORDS = 1e-3


@dataclass(frozen=True)
class Case:
    """A kind of residuals.

    Args:
        words: for the table.
        second: correlation time of the noise; 0 = white.
        white_share: of the variance of correlated noise.
        model: that is fitted.
        truth: model of the cell.
        quantised: 0.3 mV of noise, rounded to 1 mV, instead of 2 mV.
        outliers: 5 % of the samples are off by another 50 mV (standard deviation).
        loss: of the fit.
        at_bound: the true positive diffusivity is the upper bound.
        prior: of the positive diffusivity, off by so many standard deviations; NaN = drawn; ``None`` = no prior.
    """

    words: str
    second: float = 0.0
    white_share: float = 0.0
    model: str = "SPM"
    truth: str = "SPM"
    quantised: bool = False
    outliers: bool = False
    loss: Loss = "linear"
    at_bound: bool = False
    prior: float | None = None


LOSSES: tuple[Loss, ...] = ("linear", "soft_l1", "huber", "cauchy", "arctan")
CASES = {
    "white": Case("white noise, 2 mV"),
    "white-SPMe": Case("white noise, 2 mV, SPMe", model="SPMe", truth="SPMe"),
    **{f"ou-{second}": Case(f"2 mV, correlated over {second} s", second) for second in (100, 300, 1000, 3000)},
    "ou-3000-SPMe": Case("2 mV, correlated over 3000 s, SPMe", 3000, model="SPMe", truth="SPMe"),
    "mixed-1000": Case("half of the variance white, half correlated over 1000 s", 1000, 0.5),
    "quantised": Case("0.3 mV white, rounded to 1 mV", quantised=True),
    **{f"outliers-{loss}": Case(f"5 % outliers, loss {loss}", outliers=True, loss=loss) for loss in LOSSES},
    "bound": Case("white noise, a true value at its bound", at_bound=True),
    "prior": Case("correlated over 1000 s, a prior", 1000, prior=float("nan")),
    "prior-off": Case("correlated over 1000 s, a prior that is 3 standard deviations off", 1000, prior=3.0),
    "DFN-SPMe": Case("white noise, truth DFN, model SPMe", model="SPMe", truth="DFN"),
    "DFN-SPM": Case("white noise, truth DFN, model SPM", model="SPM", truth="DFN"),
}


def voltage_error(case: Case, time_second: Floats, voltage_volt: Floats, rng: np.random.Generator) -> Floats:
    """The errors of the measured voltage, V."""
    white = rng.standard_normal(len(time_second))
    if case.quantised:
        return np.round((voltage_volt + QUANTISED_NOISE_VOLT * white) / STEP_VOLT) * STEP_VOLT - voltage_volt
    if not case.second:
        error = white
    else:
        keeps = np.exp(-np.diff(time_second, prepend=-np.inf) / case.second)
        error = np.zeros(len(white))
        for k in range(len(white)):
            error[k] = keeps[k] * error[k - 1] + np.sqrt(1.0 - keeps[k] ** 2) * white[k]
        share = case.white_share
        error = np.sqrt(1.0 - share) * error + np.sqrt(share) * rng.standard_normal(len(white))
    error = NOISE_VOLT * error
    if case.outliers:
        error = error + OUTLIER_VOLT * (rng.random(len(white)) < OUTLIER_SHARE) * rng.standard_normal(len(white))
    return error


def fit(case: Case, name: str, seed: int) -> dict[str, Any]:
    """Draw a cell, fit it, and return its optimum as arrays; none where the fit fails."""
    names = tuple(p.name for p in PARAMETERS)
    true = draw(names, seed, case.truth, {})
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    error = voltage_error(case, true.record.time_second, true.record.voltage, rng)
    samples = measured(true, error)
    parameters = tuple(_parameter(case, p, true.factors.get(p.name, 1.0), rng) for p in PARAMETERS)
    settings = _settings(case, true, parameters)
    try:
        start = run_start(samples, settings, 0, None)
    except JobError as problem:
        return {"failed": str(problem)}
    values = np.array(start.values)
    objective, _ = make_objective(samples, settings, None).refine_outputs(values)
    in_units = objective.settings.parameters
    unit = to_scaled(in_units, values)
    defaults = objective.inputs.default_values()
    truth = np.array([true.value(n, d) for n, d in zip(names, defaults, strict=True)])
    found = describe_optimum(objective, Search(objective, objective.settings), unit, objective.residuals(values))
    return {
        "error_mv": found.error_mv,
        "slopes_mv": found.slopes_mv,
        "weights": found.weights,
        "time_second": found.series.time_second,
        "begins": found.series.begins,
        "free": found.free,
        "prior_mv": found.priors.residuals_mv,
        "prior_slopes_mv": found.priors.slopes_mv,
        "deviation_mv": found.priors.deviation_mv,
        "unit": unit,
        "truth": to_scaled(in_units, truth),
        "values": values,
        "spans": np.array([p.span for p in in_units]),
        "logarithmic": np.array([p.scale == "log" for p in in_units]),
        "noise_mv": objective.noise_mv(),
        "floor_mv": 1e3 * np.sqrt(np.mean(error**2)),
    }


def _settings(case: Case, true: Truth, parameters: tuple[FitParameter, ...]) -> FitSettings:
    return FitSettings(
        name="coverage",
        cell=CellSettings("CELL", 5.0, InitialState("soc", true.soc), 25.0),
        model=ModelSettings(case.model, case.model),
        parameter_set=ParameterSetSettings("Chen2020", "Chen2020"),
        parameters=parameters,
        objective=FitObjective(loss=case.loss, loss_mv=LOSS_MV),
        starts=1,
    )


def profile(case: Case, name: str, seed: int) -> dict[str, Any]:
    """Draw a cell, fit two parameters, and return truth, linear intervals and profile intervals as arrays."""
    true = draw(tuple(p.name for p in PROFILED), seed, case.truth, {})
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    samples = measured(true, voltage_error(case, true.record.time_second, true.record.voltage, rng))
    settings = _settings(case, true, PROFILED)
    result = combine_starts(samples, settings, (run_start(samples, settings, 0, None),), None)
    fitted = result.parameters
    profiles = [compute_profile(samples, result, p.name, None) for p in fitted]
    return {
        "truth": np.array([true.value(p.name, p.default) for p in fitted]),
        "linear": np.array([[p.lower_95, p.upper_95] for p in fitted], np.float64),
        "profile": np.array([[p.lower_95, p.upper_95] for p in profiles], np.float64),
    }


def _parameter(case: Case, parameter: FitParameter, factor: float, rng: np.random.Generator) -> FitParameter:
    if parameter.name != DIFFUSION[1]:
        return parameter
    if case.at_bound:
        return replace(parameter, upper=factor)
    if case.prior is not None:
        off = rng.standard_normal() if np.isnan(case.prior) else case.prior
        return replace(parameter, prior=(factor * float(np.exp(PRIOR_DEVIATION * off)), PRIOR_DEVIATION))
    return parameter


@dataclass(frozen=True)
class Intervals:
    """Standard errors on the scaled bounds, shape (parameters,); NaN = at a bound. The quantile is in their unit."""

    standard_error: Floats
    quantile: float
    systematic: bool = False

    @property
    def half_width(self) -> Floats:
        """Half-widths of the 95 % intervals on the scaled bounds, shape (parameters,)."""
        return self.quantile * self.standard_error


def by_noise_model(kept: dict[str, Any], case: Case) -> Intervals:
    """As kilocell computes them."""
    optimum = Optimum(
        kept["error_mv"],
        kept["slopes_mv"],
        kept["weights"],
        Series(kept["time_second"], kept["begins"]),
        kept["free"],
        Priors(kept["prior_mv"], kept["prior_slopes_mv"], kept["deviation_mv"]),
    )
    errors = estimate_uncertainty(optimum, FitObjective(loss=case.loss, loss_mv=LOSS_MV))
    return Intervals(errors.standard_error, errors.quantile, errors.residual_systematic)


def by_autocorrelation(kept: dict[str, Any], case: Case) -> Intervals:
    """From the variance of the residuals and their autocorrelation time, whatever the loss of the case."""
    del case
    error, free, weights = kept["error_mv"], kept["free"], kept["weights"]
    slopes = kept["slopes_mv"][:, free]
    correlated = autocorrelation_samples(error)
    variance = error @ error / (len(error) - free.sum()) * correlated
    prior = kept["prior_slopes_mv"][:, free]
    off = np.broadcast_to(kept["deviation_mv"], len(prior))[:, np.newaxis] * prior
    inverse = np.linalg.pinv(slopes.T @ (weights[:, np.newaxis] * slopes) + prior.T @ prior)
    scatter = slopes.T @ (weights[:, np.newaxis] ** 2 * slopes)
    covariance = inverse @ (variance * scatter + off.T @ off) @ inverse
    standard_error = np.full(len(free), np.nan)
    standard_error[free] = np.sqrt(np.diag(covariance))
    return Intervals(standard_error, float(student.ppf(0.975, max(len(error) / correlated - free.sum(), 1.0))))


def autocorrelation_samples(error: Floats) -> float:
    """The integrated autocorrelation time in samples."""
    count = len(error)
    deviation = error - error.mean()
    correlation = np.fft.irfft(np.abs(np.fft.rfft(deviation, 2 * count)) ** 2)[:count]
    times = 2.0 * np.cumsum(correlation / correlation[0]) - 1.0
    long_enough = np.arange(count) >= 5.0 * times
    end = int(np.argmax(long_enough)) if long_enough.any() else count - 1
    return float(np.clip(times[end], 1.0, count / 2.0))


def table(folder: Path, fits: int) -> str:
    """The table of all cases that have fits."""
    lines = [
        "| residuals | fits | inside, by autocorrelation | inside, noise model | of single parameters "
        "| width, noise model / autocorrelation | called systematic "
        '| outside, yet "well determined", by autocorrelation | noise model |',
        "|---|" + 8 * "---:|",
    ]
    for name, case in CASES.items():
        kept = [_load(path) for path in sorted((folder / name).glob("*.npz"))[:fits]]
        kept = [one for one in kept if "failed" not in one]
        if kept:
            lines.append(_line(case, kept))
    return "\n".join(lines)


def _load(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return dict(arrays)


def _line(case: Case, kept: list[dict[str, Any]]) -> str:
    before = [by_autocorrelation(one, case) for one in kept]
    now = [by_noise_model(one, case) for one in kept]
    distance = [np.abs(one["unit"] - one["truth"]) for one in kept]
    inside_now = _inside(distance, now)
    each = np.nanmean(inside_now[:, np.isfinite(inside_now).any(axis=0)], axis=0)
    wider = np.nanmedian([b.half_width / a.half_width for a, b in zip(before, now, strict=True)])
    cells = (
        case.words,
        str(len(kept)),
        _share(_inside(distance, before)),
        _share(inside_now),
        f"{100.0 * np.nanmin(each):.0f} to {100.0 * np.nanmax(each):.0f} %",
        f"{wider:.2f}",
        str(sum(one.systematic for one in now)),
        str(_wrong_words(kept, distance, before)),
        str(_wrong_words(kept, distance, now)),
    )
    return f"| {' | '.join(cells)} |"


def _inside(distance: list[Floats], intervals: list[Intervals]) -> Floats:
    """1 = inside, 0 = outside, NaN = at a bound; shape (fits, parameters)."""
    return np.array([
        np.where(np.isnan(one.half_width), np.nan, off <= one.half_width)
        for off, one in zip(distance, intervals, strict=True)
    ])  # fmt: skip


def _share(inside: Floats) -> str:
    said = np.isfinite(inside)
    return f"{int(np.nansum(inside))} of {int(said.sum())} ({100.0 * np.nanmean(inside):.1f} %)"


def _wrong_words(kept: list[dict[str, Any]], distance: list[Floats], intervals: list[Intervals]) -> int:
    """Count the parameters outside their interval that are called well determined, though off by more than 0.1 %."""
    count = 0
    for one, off, found in zip(kept, distance, intervals, strict=True):
        relative = off * np.where(one["logarithmic"], one["spans"], one["spans"] / one["values"])
        wrong = (off > found.half_width) & (relative > LEAST_FOR_WORDS)
        count += int(np.sum(wrong & (_kinds(one, found) == "well determined")))
    return count


def _kinds(one: dict[str, Any], found: Intervals) -> NDArray[np.str_]:
    """The kind of each parameter's verdict, by its first words, shape (parameters,)."""
    model = ModelError(found.systematic, 1.0)
    kinds = []
    in_unit = found.standard_error * one["spans"] * np.where(one["logarithmic"], one["values"], 1.0)
    for parameter, value, error in zip(PARAMETERS, one["values"], in_unit, strict=True):
        at_bound = np.isnan(error)
        words = "" if at_bound else describe_certainty(parameter, value, error, found.quantile, "", model)
        kinds.append("at a bound" if at_bound else verdict_kind(words))
    return np.array(kinds)


def profile_table(folder: Path, fits: int) -> str:
    """The table of the profiles, as far as there are some."""
    lines = [
        "| residuals | fits | inside the linear interval | inside the profile interval | open to one side |",
        "|---|" + 4 * "---:|",
    ]
    for name in PROFILED_CASES:
        kept = [_load(path) for path in sorted((folder / f"profiles-{name}").glob("*.npz"))[:fits]]
        if not kept:
            continue
        truth = np.array([one["truth"] for one in kept])[:, :, np.newaxis]
        shares = []
        for kind in ("linear", "profile"):
            ends = np.array([one[kind] for one in kept])
            outside = np.sign(truth - ends) * np.array([1.0, -1.0]) < 0.0
            shares.append(_share(np.where(outside.any(axis=2), 0.0, 1.0)))
        lines.append(f"| {CASES[name].words} | {len(kept)} | {' | '.join(shares)} | {int(np.isnan(ends).sum())} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def main() -> None:
    """Fit, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--fits", type=int, default=40)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--profiles", action="store_true")
    asked = parser.parse_args()
    if asked.profiles:
        _keep(asked.out, profile, PROFILED_CASES, asked.fits, "profiles-")
    elif not asked.table:
        _keep(asked.out, fit, asked.cases.split(","), asked.fits)
    print("\n\n".join(filter(None, (table(asked.out, asked.fits), profile_table(asked.out, asked.fits)))))


def _keep(out: Path, make: Callable[..., dict[str, Any]], names: Sequence[str], fits: int, prefix: str = "") -> None:
    """Make what is not there yet, the cases in turn."""
    for seed in range(fits):
        for name in names:
            path = out / f"{prefix}{name}" / f"{seed:04d}.npz"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(path, **make(CASES[name], name, seed))


if __name__ == "__main__":
    main()
