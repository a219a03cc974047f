"""``kilocell fits``: fits with their values, intervals and verdicts, and parameters along life."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...data.errors import UsageError
from ...data.fit_settings import INITIAL_SOC
from ...data.names import check_known
from ...data.text import format_count
from ...parquet_store.layout import Store
from ...sqlite import fit_queries, queries
from .table import table, table_to_json

if TYPE_CHECKING:
    import sqlite3

    from ..campaign.campaign import Campaign
    from ..campaign.fit_schema import FitTable

FITS: Final = ("cell", "fit", "model", "RMSE mV", "held out mV", "starts", "verdict")
HELD_OUT: Final = FITS.index("held out mV")  # shown where a fit held cycles out
PARAMETERS: Final = ("parameter", "before", "value", "±", "unit", "bounds", "verdict")
STARTS: Final = ("start", "status", "RMSE first mV", "RMSE mV", "evaluations", "seconds", "message")
FEW_FITS: Final = 3
"""Up to so many fits show their parameters, too."""

STRONG_CORRELATION: Final = 0.9
"""Correlation from which on two parameters are shown as moving together."""

_DETAIL: Final = re.compile(r"[,;:]| within")
HEADINGS: Final = ("cell", "chain", "parameter", "cycle", "value ± standard error", "unit", "of the first", "RMSE mV")
NO_CHAIN: Final = "the store has no chain of fits; a campaign asks for one by [fit] chain = [1, 100, 200]"
NOTE: Final = "of the first: share of the first check-up's value; * at a bound, so without an error; – not determined"


def show_fits(root: Path, cells: Sequence[str], names: Sequence[str], json_: bool) -> None:
    """Print all fits of a store, or those of some cells or names with parameters, correlations and starts.

    Raises:
        UsageError: there is no such cell or fit.
    """
    with closing(queries.connect(Store(root).catalog)) as catalog, queries.snapshot(catalog):
        every = fit_queries.fits(catalog)
        check_known("the store has no cell", cells, queries.cell_ids(catalog))
        check_known("the store has no fit", names, {name for row in every for name in _names(row)})
        rows = [
            row for row in every if (not cells or row["cell_id"] in cells) and (not names or _names(row) & {*names})
        ]
        wholes = [_whole(catalog, row) for row in rows]
    if json_:
        print(json.dumps(wholes, ensure_ascii=False, indent=1))
        return
    if not rows:
        print("no fits yet: kilocell fit --preset diffusion, or [[fit]] in the campaign file")
        return
    _print(wholes, starts=bool(names))
    if len(rows) > FEW_FITS and not names:
        print("\nparameters, starts and more of one: kilocell fits --fit FIT --cell CELL")


def _names(row: sqlite3.Row) -> set[str]:
    """The fit's name, and that of the chain that it is a link of."""
    return {str(row["fit"]), *([str(row["chain"])] if row["chain"] else [])}


def print_fit_summary(catalog: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> None:
    """Print fits at the end of a run: a line each, and where they are few their parameters."""
    print()
    _print([_whole(catalog, row) for row in rows], starts=False)


def print_fit_tables(campaign: Campaign, tables: Sequence[FitTable]) -> None:
    """Print what to write into the campaign file, so that it has the fits that were asked on the command line."""
    from ..campaign.added_fits import table_text

    kept = Store(campaign.store).added_fits
    own = {fit.name for fit in campaign.file.fit}
    print(f"\nkept in {kept}; to have it in {campaign.path} for good, write there:")
    for fit in tables:
        if fit.name in own:
            print(f"\n# in the fit {fit.name!r}, which has these cells: {', '.join(fit.cells)}\nstarts = {fit.starts}")
            if fit.profiles:
                print("profiles = true")
        else:
            print(f"\n{table_text(fit)}", end="")
    if re.search(r"^\s*\[fit\]", campaign.text, re.MULTILINE) and any(fit.name not in own for fit in tables):
        print("\n# and its [fit] becomes [[fit]], since there are several then")


def short_verdict(fit: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]) -> str:
    """How far to believe a fit, in a few words: how many parameters are determined how well, and whether starts agree.

    Args:
        fit, parameters: as the catalog has them.
    """
    kinds = (_DETAIL.split(str(row["verdict"] or "no verdict"))[0] for row in parameters)
    counts = Counter("at a bound" if kind.endswith(" bound") else kind for kind in kinds)
    words = [f"{number} {kind}" for kind, number in counts.items()] if len(counts) > 1 else [f"all {k}" for k in counts]
    if fit["starts_done"] == 1:
        words.append("one start alone")
    elif fit["starts_agreeing"] == 1:
        words.append("starts disagree")
    return ", ".join(words)


def _whole(catalog: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    """A fit with its parameters, correlations and starts."""
    cell_id, name = str(row["cell_id"]), str(row["fit"])
    parameters = [dict(parameter) for parameter in fit_queries.fit_parameters(catalog, cell_id, name)]
    return {
        **dict(row),
        "short_verdict": short_verdict(dict(row), parameters) if row["status"] == "done" else "",
        "parameters": parameters,
        "correlations": [dict(pair) for pair in fit_queries.fit_correlations(catalog, cell_id, str(row["label"]))],
        "versions": [dict(version) for version in fit_queries.fitted_sets(catalog, cell_id) if version["fit"] == name],
        "started": [dict(start) for start in fit_queries.fit_starts(catalog, cell_id, name)],
    }


def _print(wholes: Sequence[dict[str, Any]], *, starts: bool) -> None:
    lines = [_line(whole) for whole in wholes]
    shown = [place for place in range(len(FITS)) if place != HELD_OUT or any(line[place] for line in lines)]
    chosen = [[line[place] for place in shown] for line in lines]
    print(table([FITS[place] for place in shown], chosen, widest=72, right=range(3, len(shown) - 1)))
    for whole in wholes if len(wholes) <= FEW_FITS or starts else ():
        if whole["status"] == "done" or starts:
            _print_whole(whole, starts=starts)


def _line(fit: Mapping[str, Any]) -> tuple[Any, ...]:
    if fit["status"] != "done":
        reason = f"{fit['status']}: {fit['reason']}" if fit["reason"] else fit["status"]
        return (fit["cell_id"], fit["fit"], fit["model"], None, None, None, reason)
    better = _change(fit["rmse_default_mv"], fit["rmse_mv"], "no solution")
    held_out = _change(fit["validation_default_rmse_mv"], fit["validation_rmse_mv"], "no solution")
    agreeing = f"{fit['starts_agreeing']}/{fit['starts_done']}"
    return (fit["cell_id"], fit["fit"], fit["model"], better, held_out, agreeing, fit["short_verdict"])


def _change(before: float | None, after: float | None, absent: str) -> str | None:
    if after is None:
        return None
    return f"{absent if before is None else f'{before:.1f}'} → {after:.1f}"


def _print_whole(fit: Mapping[str, Any], *, starts: bool) -> None:
    print(f"\n{fit['fit']} of {fit['cell_id']}: {fit['parameter_set'] or fit['base_parameter_set']}, {fit['model']}")
    if fit["parameters"]:
        print(table(PARAMETERS, [_parameter(row) for row in fit["parameters"]], widest=64, right=(1, 2, 3)))
    for row in fit["parameters"]:
        if row["profile_verdict"]:
            ends = ("…" if end is None else f"{end:.4g}" for end in (row["profile_lower_95"], row["profile_upper_95"]))
            print(f"profile    {row['parameter']}: {' to '.join(ends)}; {row['profile_verdict']}")
    together = [pair for pair in fit["correlations"] if abs(pair["value"]) >= STRONG_CORRELATION]
    for pair in together:
        print(f"together   {pair['parameter']} and {pair['other']} ({pair['value']:+.3f})")
    if not starts:
        return
    for head, text in _facts(fit):
        print(f"{head:10s} {text}")
    if fit["started"]:
        print(table(STARTS, [_start(row) for row in fit["started"]], widest=64))


def _parameter(row: Mapping[str, Any]) -> tuple[Any, ...]:
    unit = "× the set's" if row["is_factor"] else row["unit"]
    error = None if row["standard_error"] is None else f"{row['standard_error']:.2g}"
    bounds = f"{row['lower']:.3g} to {row['upper']:.3g}{', log' if row['scale'] == 'log' else ''}"
    verdict = str(row["verdict"] or "").split(";")[0]
    return (row["parameter"], f"{row['default_value']:.4g}", f"{row['value']:.4g}", error, unit, bounds, verdict)


def _facts(fit: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of a fit beside its parameters, in words."""
    for version in fit["versions"]:
        now = "" if version["current"] else f", {version['rmse_mv']:.1f} mV, replaced since"
        yield "set", f"{version['parameter_set']} version {version['version']} ({version['parameter_set_digest']}){now}"
    cycles = str(fit["cycles"] or "[]").strip("[]")
    yield (
        "fitted on",
        f"{f'cycles {cycles}' if cycles else 'all cycles'}, {format_count(fit['samples'] or 0, 'sample')}",
    )
    if fit["noise_mv"] is not None:
        lasting = fit["residual_correlation_samples"]
        told = f"; errors move together over {lasting:.0f} samples" if lasting is not None else ""
        yield "noise", f"{fit['noise_mv']:.2f} mV in the measured voltage{told}"
    if fit["condition_number"] is not None:
        yield "condition", f"{fit['condition_number']:.3g}"
    if fit["verdict"]:
        yield "verdict", fit["verdict"]
    if fit["starts_stopped"]:
        yield "stopped", f"{format_count(fit['starts_stopped'], 'start')} ended early, which say nothing of agreement"
    if fit["agreeing_within"] is not None:
        agreeing = f"{fit['starts_agreeing']} of {format_count(fit['starts_done'], 'start')}"
        yield (
            "agreeing",
            f"{agreeing}, parameters within {fit['agreeing_within']:.2%}; the best is start {fit['best_start']}",
        )


def _start(row: Mapping[str, Any]) -> tuple[Any, ...]:
    message = row["message"] or row["reason"]
    head = (row["start"], row["status"], row["rmse_first_mv"], row["rmse_mv"])
    return (*head, row["evaluations"], row["seconds"], message)


def show_life(root: Path, cells: Sequence[str], chains: Sequence[str], json_: bool) -> None:
    """Print each parameter at each check-up, with its error and its share of the first one.

    Args:
        cells, chains: only these; empty = all.

    Raises:
        UsageError: an unknown cell or chain, or no chain was asked for.
    """
    with closing(queries.connect(Store(root).catalog)) as catalog:
        check_known("the store has no cell", cells, queries.cell_ids(catalog))
        rows = [dict(row) for row in fit_queries.parameters_along_life(catalog, cells, chains)]
        links = [dict(row) for row in fit_queries.chain_links(catalog, cells)]
    if links:
        check_known("the store has no chain of fits", chains, {str(link["chain"]) for link in links})
    if json_:
        print(table_to_json(tuple(rows[0]) if rows else (), [tuple(row.values()) for row in rows]))
        return
    if not links:
        raise UsageError(NO_CHAIN)
    print(table(HEADINGS, [_life_line(row) for row in rows], right=(4, 6)))
    print(NOTE)
    for link in links:
        if link["status"] != "done" and (not chains or link["chain"] in chains):
            name = f"{link['cell_id']}, {link['chain']}, cycle {link['chain_cycle']}"
            print(f"no result: {name}: {link['status']}{': ' if link['reason'] else ''}{link['reason']}")


def format_with_error(value: float, error: float | None) -> str:
    """Write a value to the second digit of its standard error, both with the same exponent: ``0.7213 ± 0.0064``."""
    if error is None or not math.isfinite(error) or error <= 0.0:
        return f"{value:.4g}"
    power = math.floor(math.log10(abs(value))) if value else 0
    power = 0 if -3 <= power < 4 else power
    scaled, scaled_error = value / 10.0**power, error / 10.0**power
    digits = min(max(1 - math.floor(math.log10(scaled_error)), 0), 12)
    exponent = f"e{power:+03d}" if power else ""
    return f"{scaled:.{digits}f}{exponent} ± {scaled_error:.{digits}f}{exponent}"


def _life_line(row: Mapping[str, Any]) -> tuple[Any, ...]:
    value = format_with_error(row["value"], row["standard_error"])
    if row["standard_error"] is None:
        value += " *" if row["at_bound"] else " ± –"
    share = None if row["share_of_first"] is None else f"{row['share_of_first']:.2%}"
    share = "" if row["parameter"] == INITIAL_SOC else share
    unit = "factor" if row["is_factor"] else row["unit"]
    named = (row["cell_id"], row["chain"], row["parameter"], row["chain_cycle"])
    return (*named, value, unit, share, row["rmse_mv"])
