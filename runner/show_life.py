"""``kilocell fits --life``: parameters along a cell's life, from the fits of a chain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ..data.errors import UsageError
from ..data.fit_settings import INITIAL_SOC
from ..parquet_store.layout import Store
from ..sqlite import queries
from .places import check_names
from .table import as_json, table

HEADINGS: Final = ("cell", "chain", "parameter", "cycle", "value ± standard error", "unit", "of the first", "RMSE mV")
NO_CHAIN: Final = "the store has no chain of fits; a campaign asks for one by [fit] chain = [1, 100, 200]"
NOTE: Final = "of the first: share of the first check-up's value; * at a bound, so without an error; – not determined"


def show_life(root: Path, cells: Sequence[str], chains: Sequence[str], json_: bool) -> None:
    """Print each parameter at each check-up, with its error and its share of the first one.

    Args:
        cells, chains: only these; empty = all.

    Raises:
        UsageError: an unknown cell or chain, or no chain was asked for.
    """
    with closing(queries.connect(Store(root).catalog)) as catalog:
        check_names("the store has no cell", cells, queries.cell_ids(catalog))
        rows = [dict(row) for row in queries.parameters_along_life(catalog, cells, chains)]
        links = [dict(row) for row in queries.chain_links(catalog, cells)]
    if links:
        check_names("the store has no chain of fits", chains, {str(link["chain"]) for link in links})
    if json_:
        print(as_json(tuple(rows[0]) if rows else (), [tuple(row.values()) for row in rows]))
        return
    if not links:
        raise UsageError(NO_CHAIN)
    print(table(HEADINGS, [_line(row) for row in rows], right=(4, 6)))
    print(NOTE)
    for link in links:
        if link["status"] != "done" and (not chains or link["chain"] in chains):
            name = f"{link['cell_id']}, {link['chain']}, cycle {link['chain_cycle']}"
            print(f"no result: {name}: {link['status']}{': ' if link['reason'] else ''}{link['reason']}")


def with_error(value: float, error: float | None) -> str:
    """Write a value to the second digit of its standard error, both with the same exponent: ``0.7213 ± 0.0064``."""
    if error is None or not math.isfinite(error) or error <= 0.0:
        return f"{value:.4g}"
    power = math.floor(math.log10(abs(value))) if value else 0
    power = 0 if -3 <= power < 4 else power
    scaled, scaled_error = value / 10.0**power, error / 10.0**power
    digits = min(max(1 - math.floor(math.log10(scaled_error)), 0), 12)
    exponent = f"e{power:+03d}" if power else ""
    return f"{scaled:.{digits}f}{exponent} ± {scaled_error:.{digits}f}{exponent}"


def _line(row: Mapping[str, Any]) -> tuple[Any, ...]:
    value = with_error(row["value"], row["standard_error"])
    if row["standard_error"] is None:
        value += " *" if row["at_bound"] else " ± –"
    share = None if row["share_of_first"] is None else f"{row['share_of_first']:.2%}"
    share = "" if row["parameter"] == INITIAL_SOC else share
    unit = "factor" if row["is_factor"] else row["unit"]
    named = (row["cell_id"], row["chain"], row["parameter"], row["chain_cycle"])
    return (*named, value, unit, share, row["rmse_mv"])
