"""Receipts as jobs write them, for the tests of the catalog."""

from __future__ import annotations

from dataclasses import replace
from itertools import starmap

from kilocell.data.fit_settings import FitParameter, FitSettings
from kilocell.data.results.cleaning import (
    ChargeChange,
    CleanReport,
    CleanResult,
    CycleSummary,
    Finding,
    FlagCount,
    QuarantineCount,
    RecordSource,
)
from kilocell.data.results.fitting import FitResult, FittedParameter, StartResult
from kilocell.data.results.receipt import JobKind, OutputFile, Receipt, Result, SplitResult
from kilocell.data.results.simulation import (
    Comparison,
    CycleState,
    FailedSimulation,
    SimulationResult,
    StepComparison,
    StretchComparison,
)
from kilocell.data.settings import (
    CellSettings,
    InitialState,
    ModelSettings,
    Override,
    ParameterSetSettings,
    SimulateSettings,
    SourceFile,
    SourceSettings,
)

SPM = ModelSettings("SPM", "SPM")
SPME = ModelSettings("SPMe", "SPMe", (("thermal", "lumped"),))
DFN = ModelSettings("DFN", "DFN")
DIFFUSIVITY = "Negative particle diffusivity [m2.s-1]"
CHEN = ParameterSetSettings("Chen2020", "Chen2020")
SLOW = ParameterSetSettings(
    "slow",
    "Chen2020",
    (
        Override(DIFFUSIVITY, "value", 1e-15),
        Override("Positive electrode exchange-current density [A.m-2]", "scale", 0.5),
        Override("Negative electrode Bruggeman coefficient (electrolyte)", "value", 1.6),
    ),
)


def cell(cell_id: str) -> CellSettings:
    return CellSettings(cell_id, 5.0, InitialState("soc", 0.9), 25.0)


def receipt(kind: JobKind, cell_id: str, label: str, result: Result | None, *paths: str) -> Receipt:
    """A receipt that is done, or failed where there is no result."""
    return Receipt(
        kind,
        cell_id,
        label,
        digest=f"digest of {kind} {label}",
        status="done" if result else "failed",
        reason="" if result else "the solver stopped at 12 s",
        reason_code="" if result else "diverged",
        log="" if result else f"logs/{kind}.log",
        started_unix_second=1.7e9,
        seconds=2.5,
        host="node-7",
        versions=(("pybamm", "26.10.1.1"),),
        outputs=tuple(OutputFile(path, 1000 + n) for n, path in enumerate(paths)),
        result=result,
    )


def cycle(count: int) -> CycleSummary:
    return CycleSummary(
        count, 3600.0 * count, 3600.0 * count + 3599, 360, 4, 4.9, 5.0, 18.1, 17.9, 2.5, 4.2, 25.5,
        "counters, step time", 4.88, 4.93, 4.99, 5.02, 4.9, None,
    )  # fmt: skip


def finding(rule: str, row: int) -> Finding:
    return Finding(rule, "warning", 2, 0, row, 1, 3, "missing", "3.712 V", "filled")


def cleaned(cell_id: str, cycles: int = 2, findings: int = 3) -> Receipt:
    seen = tuple(finding("voltage_missing" if n % 2 == 0 else "duplicate_row", 10 * n) for n in range(findings))
    report = CleanReport(
        cell_id, 730, 720, 10, 7300.0, 7200.0, 9.9, 9.8, 10.1, 10.0, cycles + 1, cycles, 4 * cycles, 4 * cycles, seen,
        36.6, 36.5, 37.0, 36.9,
        tuple(starmap(QuarantineCount, (("duplicate_row", 0, 4), ("duplicate_row", 1, 5), ("time_missing", 1, 1)))),
        (FlagCount("duplicate_row", 0), FlagCount("time_missing", 3), FlagCount("voltage_missing", 8)),
        (ChargeChange("duplicate_row", -0.3, -0.2), ChargeChange("current_missing", 0.2, 0.1)),
        6, "counters", 9.78, 9.83, 9.95, 10.06, 9.8, None,
    )  # fmt: skip
    sources = (RecordSource(source(f"raw/{cell_id}-1.csv")), RecordSource(source(f"raw/{cell_id}-2.csv", "cd" * 32)))
    result = CleanResult(report, tuple(cycle(n + 1) for n in range(cycles)), 25.4, sources)
    return receipt("clean", cell_id, "clean", result, "cleaned/A.parquet", "quarantine/A.parquet")


def asked(cell_id: str, model: ModelSettings = SPME, parameter_set: ParameterSetSettings = CHEN) -> SimulateSettings:
    return SimulateSettings(cell(cell_id), model, parameter_set)


def simulated(settings: SimulateSettings, rmse_mv: float = 20.5, cycles: int = 2) -> Receipt:
    comparisons = tuple(
        Comparison(n, 360, rmse_mv + n, -1.5, -80.0, 3600.0, 18.0, 20.0, 20.2, 18.0, 17.1, 2e-4, -0.05, 2.5)
        for n in range(cycles + 1)
    )
    steps = tuple(
        StepComparison(n, step_type, window, 90, rmse_mv + place, -1.5, -80.0, 3600.0, 5.0)
        for n in range(cycles + 1)
        for place, (step_type, window) in enumerate((("charge", "all"), ("rest", "all"), ("all", "ohmic")))
    )
    stretch = StretchComparison(1, "cycle 2", "done", 2, 2, 4, 6, 0.0, 7.0, 720, 12.0, -1.5, -80.0, 6.0, 0.9, 4.0, "x")
    result = SimulationResult(
        settings, 720, 44, 0.9, 4.05, "soc 0.9", 1.02, 25.0, -0.2, -0.2001, 1e-5,
        rmse_mv, -1.5, -80.0, 3600.0, 0.8, ("tight steps", "loose steps"), comparisons,
        5.0, "nominal", "mean of the record", 0.1, -1.2, True,
        (CycleState(2, 0.91, 4.06, "previous end"),), steps, 60.0, "counters", 19.8, 0.08,
        stretches=(stretch,),
    )  # fmt: skip
    path = f"simulations/{settings.label}.parquet"
    return receipt("simulate", settings.cell.cell_id, settings.label, result, path)


def ended(settings: SimulateSettings) -> Receipt:
    """A simulation that failed after 300 samples, which it kept."""
    result = FailedSimulation(
        settings, 300, 44, 0.9, 4.05, "soc 0.9", 1.02, 25.0, ("tight steps: ended early",), 2999.0, 33.0,
        -0.1, -0.1001, 1e-5, 0.4, 12.0, 5.0, "nominal", "mean of the record",
    )  # fmt: skip
    path = f"simulations/{settings.label}.parquet"
    done = receipt("simulate", settings.cell.cell_id, settings.label, result, path)
    return replace(done, status="failed", reason="it ended at 2999 s", reason_code="ended_early")


def fit_settings(cell_id: str, starts: int = 3) -> FitSettings:
    parameters = (FitParameter(DIFFUSIVITY, 1e-16, 1e-12, "log"), FitParameter("Contact resistance [Ohm]", 0, 0.1))
    return FitSettings("diffusivity", cell(cell_id), SPME, CHEN, parameters, (1, 2), starts, 7)


def started(settings: FitSettings, start: int) -> Receipt:
    result = StartResult(
        settings, start, 1000 + start, (1e-14, 0.05), (3e-14, 0.01), 90.0, 12.0 + start, 31, "converged"
    )
    return receipt("start", settings.cell.cell_id, f"{settings.name}-{start}", result)


def fitted(settings: FitSettings, rmse_mv: float = 12.0) -> Receipt:
    parameters = (
        FittedParameter(DIFFUSIVITY, "m2.s-1", 3e-14, 3.3e-14, 1e-16, 1e-12, "log", False, False),
        FittedParameter("Contact resistance [Ohm]", "Ohm", 0.1, 0.0, 0.0, 0.1, "linear", True, False),
    )
    overrides = tuple(Override(p.name, "value", p.value) for p in parameters)
    found = ParameterSetSettings("Chen2020+diffusivity", "Chen2020", overrides)
    result = FitResult(settings, 1, 3, 2, 40.0, rmse_mv, parameters, found)
    return receipt("fit", settings.cell.cell_id, settings.name, result)


def failed(done: Receipt) -> Receipt:
    """The same job, failed."""
    return receipt(done.kind, done.cell_id, done.label, None)


def pending(done: Receipt) -> Receipt:
    """The same job, to be done again."""
    return replace(done, status="pending", result=None, outputs=(), digest="new")


def source(path: str = "raw/many.csv", digest: str = "ab" * 32, cell_id_from: str = "column:cell") -> SourceFile:
    return SourceFile(path, 4321, digest, SourceSettings(cell_id_from=cell_id_from))


def split(path: str, *cells: str) -> Receipt:
    result = SplitResult(source(path), tuple((cell_id, 100 + n) for n, cell_id in enumerate(cells)))
    return receipt("split", "many", path, result)


def everything(cell_id: str) -> list[Receipt]:
    """Receipts of all kinds of one cell, some failed."""
    fit = fit_settings(cell_id)
    return [
        split(f"raw/{cell_id}.csv", cell_id),
        cleaned(cell_id),
        simulated(asked(cell_id)),
        simulated(asked(cell_id, SPM, SLOW), 55.0),
        failed(simulated(asked(cell_id, DFN))),
        started(fit, 0),
        failed(started(fit, 1)),
        started(fit, 2),
        fitted(fit),
        simulated(asked(cell_id, SPME, ParameterSetSettings("Chen2020+diffusivity", "Chen2020"))),
    ]
