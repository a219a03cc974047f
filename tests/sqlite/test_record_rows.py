"""Names, units and rows that follow from receipts alone."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.convert import parameter_unit
from kilocell.data.results.cleaning import CleanResult
from kilocell.data.results.fitting import FitResult, StartResult
from kilocell.data.results.simulation import SimulationResult
from kilocell.data.settings import ModelSettings, ParameterSetSettings
from kilocell.sqlite import fit_rows
from kilocell.sqlite import rows as record_rows
from kilocell.sqlite.migrations import schema
from kilocell.sqlite.rows import Row
from sample_receipts import CHEN, SLOW, SPME, asked, cleaned, ended, fit_settings, fitted, simulated, source, started


@pytest.mark.parametrize(
    ("parameter", "unit"),
    [
        ("Negative particle diffusivity [m2.s-1]", "m2.s-1"),
        ("Open-circuit voltage at 0% SOC [V]", "V"),
        ("Positive electrode active material volume fraction", ""),
        ("Number of electrodes connected in parallel to make a cell", ""),
        ("Rate [1/s] of [K] ", "K"),
        ("", ""),
    ],
)
def test_unit_ends_a_parameters_name(parameter: str, unit: str) -> None:
    assert parameter_unit(parameter) == unit


@given(name=st.text(st.characters(exclude_characters="[]")), unit=st.from_regex(r"\A[A-Za-z0-9.-]+\Z"))
def test_any_unit_is_found(name: str, unit: str) -> None:
    assert parameter_unit(f"{name.replace(chr(10), ' ')} [{unit}]") == unit


@given(name=st.from_regex(r"\A[a-z_]*[a-z]\Z"), start=st.integers(0, 10**6))
def test_a_starts_label_splits_into_fit_and_number(name: str, start: int) -> None:
    assert record_rows.split_start_label(f"{name}-{start}") == (name, start)


def test_labels_without_the_expected_form_are_kept_whole() -> None:
    assert record_rows.split_start_label("diffusivity") == ("diffusivity", None)
    assert record_rows.split_simulation_label("SPMe") == ("SPMe", "")
    assert record_rows.split_simulation_label("SPMe-Chen2020-slow") == ("SPMe", "Chen2020-slow")


def test_definitions_of_one_name_are_told_apart() -> None:
    assert record_rows.definition_digest(SPME) != record_rows.definition_digest(ModelSettings("SPMe", "SPMe"))
    assert record_rows.definition_digest(CHEN) == record_rows.definition_digest(
        ParameterSetSettings("Chen2020", "Chen2020")
    )
    assert record_rows.definition_digest(SLOW) != record_rows.definition_digest(CHEN)


def test_every_field_of_a_result_has_its_column() -> None:
    """A field that is added to a result needs a column: here it shows, not in the middle of a run."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(schema())
    fit = fit_settings("A")
    clean, simulation, start, fit_done = cleaned("A"), simulated(asked("A")), started(fit, 0), fitted(fit)
    assert isinstance(clean.result, CleanResult)
    assert isinstance(simulation.result, SimulationResult)
    assert isinstance(start.result, StartResult)
    assert isinstance(fit_done.result, FitResult)
    done = record_rows.simulation_row(simulation, simulation.result.settings)
    of_failed = record_rows.simulation_row(ended(asked("A")), asked("A"))
    assert set(of_failed) - set(done) == {"ended_second", "partial_rmse_mv"}
    made: dict[str, Sequence[Row]] = {
        "jobs": [record_rows.job_row(clean, 1)],
        "cells": [record_rows.cell_row(fit.cell)],
        "models": [record_rows.model_row(SPME)],
        "parameter_sets": [record_rows.parameter_set_row(SLOW)],
        "parameter_overrides": record_rows.override_rows(SLOW),
        "sources": [record_rows.source_row(source(), 1)],
        "clean_reports": [record_rows.clean_report_row(clean, clean.result)],
        "findings": record_rows.finding_rows(clean, clean.result),
        "cycles": record_rows.cycle_rows(clean, clean.result),
        "simulations": [done | {"ended_second": None, "partial_rmse_mv": None}],
        **record_rows.compared_rows(simulation, simulation.result),
        "fit_starts": [fit_rows.start_row(start, fit)],
        "fit_start_values": fit_rows.start_value_rows(start, start.result),
        "fits": [fit_rows.fit_row(fit_done, fit)],
        "fit_parameters": fit_rows.fit_parameter_rows(fit_done, fit_done.result),
    }
    for table, made_rows in made.items():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        assert made_rows
        for row in made_rows:
            # standing comes from the plan; a new row is current
            assert set(row) - {"standing"} == columns - {"standing"}, table
    connection.close()


def test_rows_hold_plain_values_only() -> None:
    done = simulated(asked("A"))
    row = record_rows.simulation_row(done, asked("A"))
    assert all(value is None or type(value) in (str, int, float) for value in row.values())
    assert not any(dataclasses.is_dataclass(value) for value in row.values())
