"""Versions of fitted sets: one for each set of values that a fit ended with, and where it is from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from kilocell.data.codec import from_json
from kilocell.data.fit_settings import FitSettings
from kilocell.data.results.fitting import Beginning, FitResult
from kilocell.data.results.receipt import Receipt
from kilocell.data.settings import Override
from kilocell.sqlite import fit_queries, queries
from kilocell.sqlite.catalog import Catalog
from sample_receipts import fit_settings, fitted

BEGIN = Beginning(
    (("Initial concentration in negative electrode [mol.m-3]", 1.25e4),), 0.9, 4.1, "given", 1.02, 5.1, 25.0
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path) -> Iterator[Catalog]:
    with Catalog.open(path) as opened:
        yield opened


def ended(value: float, digest: str = "one", starts: int = 3) -> Receipt:
    """A fit of cell A that ended with this diffusivity."""
    receipt = fitted(fit_settings("A"))
    result = receipt.result
    assert isinstance(result, FitResult)
    first, *others = result.parameter_set.overrides
    overrides = (replace(first, value=value), *others)
    found = replace(result.parameter_set, overrides=overrides)
    result = replace(result, parameter_set=found, starts_done=starts, beginning=BEGIN)
    return replace(receipt, result=result, digest=digest, versions=(("kilocell", "9.9"), ("pybamm", "26.10")))


def versions(path: Path) -> list[sqlite3.Row]:
    with closing(queries.connect(path)) as connection:
        return fit_queries.fitted_sets(connection)


def test_other_values_make_a_version_and_the_same_values_none(path: Path, catalog: Catalog) -> None:
    for value, digest in ((1e-14, "one"), (1e-14, "one"), (2e-14, "two"), (3e-14, "three"), (2e-14, "four")):
        catalog.record(ended(value, digest), None)
    rows = versions(path)
    assert [(row["version"], row["current"], row["fit_digest"]) for row in rows] == [
        (1, 0, "one"),
        (2, 1, "four"),
        (3, 0, "three"),
    ]


def test_a_version_tells_all_that_it_is_from(path: Path, catalog: Catalog) -> None:
    catalog.record(ended(1e-14), None)
    (row,) = versions(path)
    assert (row["parameter_set"], row["base_parameter_set"], row["fit"]) == (
        "Chen2020+diffusivity",
        "Chen2020",
        "diffusivity",
    )
    assert (row["model"], row["cycles"], row["starts_done"], row["rmse_mv"]) == ("SPMe", "[1, 2]", 3, 12.0)
    assert (row["kilocell"], row["pybamm"], row["found_unix_second"]) == ("9.9", "26.10", 1.7e9 + 2.5)
    assert from_json(FitSettings, row["settings"]) == fit_settings("A")
    assert from_json(Beginning, row["beginning"]) == BEGIN


def test_values_of_an_earlier_version_stay_when_a_run_forgets_what_was_replaced(path: Path, catalog: Catalog) -> None:
    first, second = ended(1.23456789012345e-14), ended(2e-14, "two")
    for receipt in (first, second):
        catalog.record(receipt, catalog.begin_run("kilocell run", "here", 1, {}))
    catalog.end_run(1, 0, "done")
    rows = versions(path)
    with closing(queries.connect(path)) as connection:
        found = [fit_queries.find_parameter_set(connection, row["parameter_set_digest"]) for row in rows]
    assert found == [r.result.parameter_set for r in (first, second) if isinstance(r.result, FitResult)]
    assert found[0].overrides[0] == Override("Negative particle diffusivity [m2.s-1]", "value", 1.23456789012345e-14)


def test_more_starts_with_the_same_values_are_the_same_version_of_newer_origin(path: Path, catalog: Catalog) -> None:
    catalog.record(ended(1e-14, "three starts", 3), None)
    catalog.record(ended(1e-14, "eight starts", 8), None)
    (row,) = versions(path)
    assert (row["version"], row["fit_digest"], row["starts_done"]) == (1, "eight starts", 8)
