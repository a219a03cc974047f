"""``kilocell fits --life``: fitted parameters along life, from chains of fits over check-ups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ...data.errors import UsageError
from ...data.fit_settings import INITIAL_SOC
from ...data.names import check_known
from ...data.text import printable_text
from ...report.filters import Filters
from ...sqlite import fit_queries
from .answer import Output, say_csv, write_csv
from .open_catalog import open_catalog
from .table import dicts_to_json, table
from .terminal import print_lines

HEADINGS: Final = ("cell", "chain", "parameter", "cycle", "value ± standard error", "unit", "of the first", "RMSE mV")
NO_CHAIN: Final = (
    "the store has no chain of fits. To fit along life, write in [fit] of the campaign file: chain = [1, 100, 200]"
)
NOTE: Final = (
    "of the first: value relative to the first check-up; *: at a bound, so without standard error; ± –: not determined"
)
Row = Mapping[str, Any]


def show_life(root: Path, filters: Filters, chains: Sequence[str], output: Output) -> None:
    """Print each parameter at each check-up, with its standard error and its ratio to the first check-up.

    Args:
        root: the store's folder.
        filters: cells, models, parameter sets, order and number of rows.
        chains: only these; empty = all.
        output: where the answer goes.

    Raises:
        UsageError: an unknown cell or chain, or the store has no chain of fits.
    """
    if filters.statuses:
        raise UsageError("parameters along life are of finished fits; leave out --status")
    with open_catalog(root, output.everything) as catalog:
        cells = filters.choose_cells(catalog)
        rows = filters.apply(fit_queries.parameters_along_life(catalog, cells, chains), noun="fit")
        links = [dict(row) for row in fit_queries.chain_links(catalog, cells)]
    if links:
        check_known("the store has no chain of fits", chains, {str(link["chain"]) for link in links})
    if not links and not output.json_:
        raise UsageError(NO_CHAIN)
    write_csv(rows, output)
    if output.json_:
        print(dicts_to_json(rows))
    else:
        _print_life(rows, links, chains)
    say_csv(rows, output)


def _print_life(rows: Sequence[Row], links: Sequence[Row], chains: Sequence[str]) -> None:
    print(table(HEADINGS, [_life_line(row) for row in rows], right=(4, 6)))
    print_lines([NOTE])
    for link in links:
        if link["status"] != "done" and (not chains or link["chain"] in chains):
            text = f"no result: {link['cell_id']}, {link['chain']}, cycle {link['chain_cycle']}: {link['status']}"
            if link["reason"]:
                text += f": {link['reason']}"
            print(printable_text(text))


def format_with_error(value: float, error: float | None) -> str:
    """Return a value to the second digit of its standard error, both with one exponent, such as ``0.7213 ± 0.0064``.

    Args:
        error: the standard error, in the value's unit; ``None``, not finite or not positive = the value alone.
    """
    if error is None or not math.isfinite(error) or error <= 0.0:
        return f"{value:.4g}"
    power = 0
    if value:
        power = math.floor(math.log10(abs(value)))
    if -3 <= power < 4:
        power = 0
    scaled = value / 10.0**power
    scaled_error = error / 10.0**power
    digits = min(max(1 - math.floor(math.log10(scaled_error)), 0), 12)
    exponent = f"e{power:+03d}" if power else ""
    return f"{scaled:.{digits}f}{exponent} ± {scaled_error:.{digits}f}{exponent}"


def _life_line(row: Row) -> tuple[Any, ...]:
    value = format_with_error(row["value"], row["standard_error"])
    if row["standard_error"] is None and row["at_bound"]:
        value += " *"
    elif row["standard_error"] is None:
        value += " ± –"
    if row["parameter"] == INITIAL_SOC:
        share: str | None = ""  # each check-up has its own starting state, so a ratio means nothing
    elif row["share_of_first"] is None:
        share = None
    else:
        share = f"{row['share_of_first']:.2%}"
    unit = "factor" if row["is_factor"] else row["unit"]
    return (row["cell_id"], row["chain"], row["parameter"], row["chain_cycle"], value, unit, share, row["rmse_mv"])
