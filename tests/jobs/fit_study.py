"""How true fits are: many synthetic cells whose parameters are known, fitted with the same model.

``python tests/jobs/fit_study.py --fits 200 --out study.jsonl`` fits, a line a fit, going on where it was stopped;
``--table study.jsonl ...`` prints the tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from kilocell.data.errors import JobError
from kilocell.data.fit_settings import INITIAL_SOC, PRESETS, FitParameter, FitSettings
from kilocell.data.results.fitting import FittedParameter, StartResult
from kilocell.data.settings import CellSettings, InitialState, ModelSettings, ParameterSetSettings
from kilocell.jobs.fitting.fit import combine_starts, run_start
from known_cells import CONDUCTIVITY, Truth, draw, error_volt, measured

START: Final = (FitParameter(INITIAL_SOC, 0.7, 1.0),)
SETS: Final[dict[str, tuple[FitParameter, ...]]] = {
    "diffusion": PRESETS["diffusion"],
    "kinetic+diffusion": PRESETS["kinetic"] + PRESETS["diffusion"],
    "ohmic+kinetic+diffusion+start": PRESETS["ohmic"] + PRESETS["kinetic"] + PRESETS["diffusion"] + START,
    "balance+diffusion": PRESETS["balance"] + PRESETS["diffusion"],
    "ageing": PRESETS["ageing"],
}
WORDS: Final = ("well", "determined", "precise", "poorly", "not", "at its")
"""First words of verdicts."""
WRONG: Final = {"wrong": {CONDUCTIVITY: 0.9}}
"""What the fit does not know of: a conductivity 10 % below the set's."""
FLOOR: Final = 1.01


def fitted(name: str, seed: int, model: str, noise: str, policy: str, starts: int) -> dict[str, Any]:
    """Draw a cell, fit it, and return the fitted values next to the true ones."""
    parameters = SETS[name]
    truth = draw(tuple(p.name for p in parameters), seed, model, WRONG.get(noise, {}))
    error = error_volt(noise, truth, seed)
    state = InitialState("soc", truth.soc) if policy == "known" else InitialState("rest_voltage")
    settings = FitSettings(
        name="study",
        cell=CellSettings("CELL", 5.0, state, 25.0),
        model=ModelSettings(model, model),
        parameter_set=ParameterSetSettings("Chen2020", "Chen2020"),
        parameters=parameters,
        starts=starts,
        seed=seed,
    )
    samples, began = measured(truth, error), time.perf_counter()
    floor = 1e3 * float(np.sqrt(np.mean(error**2)))
    about: dict[str, Any] = {
        "set": name,
        "seed": seed,
        "model": model,
        "noise": noise,
        "policy": policy,
        "floor_mv": floor,
    }
    results = [_start(samples, settings, start) for start in range(starts)]
    done = tuple(r for r in results if isinstance(r, StartResult))
    about["starts"] = [r.rmse_mv if isinstance(r, StartResult) else r for r in results]
    about["evaluations"] = [r.evaluations for r in done]
    if not done:
        return about
    fit = combine_starts(samples, settings, done, None)
    about |= {"rmse_mv": fit.rmse_mv, "verdict": fit.verdict, "correlation": fit.residual_correlation_samples}
    about["parameters"] = [_told(truth, p) for p in fit.parameters]
    return about | {"second": time.perf_counter() - began}


def _start(samples: pd.DataFrame, settings: FitSettings, start: int) -> StartResult | str:
    try:
        return run_start(samples, settings, start, None)
    except JobError as error:
        return f"{error.code}: {error}"


def _told(truth: Truth, p: FittedParameter) -> dict[str, Any]:
    true = truth.value(p.name, p.default)
    inside = None if p.lower_95 is None or p.upper_95 is None else bool(p.lower_95 <= true <= p.upper_95)
    off = None if p.standard_error is None else (p.value - true) / p.standard_error
    told = {"name": p.name, "true": true, "value": p.value, "inside": inside, "errors_off": off}
    return told | {"verdict": next(word for word in WORDS if p.verdict.startswith(word))}


def markdown(fits: Iterable[dict[str, Any]]) -> str:
    """The fits as a table by parameter, and one by set."""
    fits = [fit for fit in fits if "parameters" in fit]
    lines = ["| fitted | fits | truth in the 95 % interval | starts at the noise floor | worst RMSE / floor |",
             "|---|---:|---:|---:|---:|"]  # fmt: skip
    for name in [*dict.fromkeys(_group(fit) for fit in fits), ""]:
        mine = [fit for fit in fits if not name or _group(fit) == name]
        told = [p for fit in mine for p in fit["parameters"]]
        ends = [end for fit in mine for end in fit["starts"]]
        there = sum(
            not isinstance(end, str) and end <= FLOOR * fit["floor_mv"] for fit in mine for end in fit["starts"]
        )
        worst = max(fit["rmse_mv"] / fit["floor_mv"] for fit in mine)
        lines.append(f"| {name or 'all'} | {len(mine)} | {_share(told)} | {there} of {len(ends)} | {worst:.4f} |")
    words = (
        "parameter | fits | truth in the 95 % interval | median error "
        "| well | determined | precise | poorly | not | at a bound"
    )
    lines += ["", f"| {words} | worst error where well |", "|---|" + 10 * "---:|"]
    told = [p for fit in fits for p in fit["parameters"]]
    for name in [*dict.fromkeys(p["name"] for p in told), ""]:
        mine = [p for p in told if not name or p["name"] == name]
        away = np.array([abs(p["value"] / p["true"] - 1.0) for p in mine])
        well = away[[p["verdict"] == "well" for p in mine]]
        counts = " | ".join(str(sum(p["verdict"] == word for p in mine)) for word in WORDS)
        worst_well = f"{well.max():.2%}" if len(well) else ""
        lines.append(
            f"| {name or 'all'} | {len(mine)} | {_share(mine)} | {np.median(away):.2%} | {counts} | {worst_well} |"
        )
    return "\n".join(lines)


def _group(fit: dict[str, Any]) -> str:
    return ", ".join((fit["set"], fit["model"], fit["noise"], f"start {fit['policy']}"))


def _share(told: list[dict[str, Any]]) -> str:
    said = [p["inside"] for p in told if p["inside"] is not None]
    return f"{sum(said)} of {len(said)} ({np.mean(said):.1%})" if said else ""


def main() -> None:
    """Fit, or print the tables."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--fits", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--set", choices=SETS, nargs="+", default=list(SETS))
    parser.add_argument("--model", default="SPMe")
    parser.add_argument("--noise", choices=("white", "quantised", "correlated", "wrong"), default="white")
    parser.add_argument("--policy", choices=("known", "rest"), default="known")
    parser.add_argument("--out", type=Path, default=Path("fit_study.jsonl"))
    parser.add_argument("--table", type=Path, nargs="+")
    asked = parser.parse_args()
    if not asked.table:
        _run(asked)
    lines = [line for path in asked.table or [asked.out] for line in path.read_text(encoding="utf-8").splitlines()]
    print(markdown(json.loads(line) for line in lines))


def _run(asked: argparse.Namespace) -> None:
    asked.out.touch()
    lines = [json.loads(line) for line in asked.out.read_text(encoding="utf-8").splitlines()]
    done = {(fit["set"], fit["seed"], fit["model"], fit["noise"], fit["policy"]) for fit in lines}
    for seed in range(asked.first, asked.first + asked.fits):
        name = asked.set[seed % len(asked.set)]
        if (name, seed, asked.model, asked.noise, asked.policy) in done:
            continue
        told = fitted(name, seed, asked.model, asked.noise, asked.policy, asked.starts)
        with asked.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
        inside = " ".join(f"{p['errors_off'] or np.nan:+.1f}" for p in told.get("parameters", ()))
        print(f"{_group(told)} {seed}: {told['starts']} mV, floor {told['floor_mv']:.4f}, {inside}", flush=True)


if __name__ == "__main__":
    main()
