"""``kilocell export``: files that read back as the store is, views that answer, and nothing overwritten."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.csv
import pytest
from filled_store import ERROR_VOLT, SAMPLES, SIMULATED, fill, simulation
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kilocell.data import columns as c
from kilocell.data.errors import StoreError, UsageError
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.write import write_frame
from kilocell.runner.export.cells import export

ODD = 'cell 7, "left"'


def read(path: Path) -> pd.DataFrame:
    frame: pd.DataFrame = pyarrow.csv.read_csv(path).to_pandas()
    return frame


def same(back: pd.DataFrame, frame: pd.DataFrame) -> None:
    """The same columns and arrays, holes at the same places."""
    assert list(back.columns) == list(frame.columns)
    for name in frame.columns:
        if frame[name].dtype.kind in "if":
            np.testing.assert_array_equal(back[name].to_numpy(float), frame[name].to_numpy(float), name)
        else:
            assert back[name].tolist() == frame[name].tolist()


def test_one_file_a_cell_reads_back_identical(tmp_path: Path) -> None:
    frames = fill(tmp_path / "store", "A", ODD)
    written = export(tmp_path / "store", (), tmp_path / "out", False, None)
    assert len(written) == 2
    for path, frame in zip(written, (frames["A"], frames[ODD]), strict=True):
        same(read(path), frame)


def test_each_file_is_told_when_it_is_there(tmp_path: Path) -> None:
    fill(tmp_path / "store", "A", "B")
    seen: list[tuple[str, int]] = []
    out = tmp_path / "out"

    def tell(path: Path) -> None:
        seen.append((path.name, sum(file.suffix in (".csv", ".sqlite") for file in out.iterdir())))

    written = export(tmp_path / "store", (), out, False, out / "all.sqlite", tell)
    assert seen == [("A.csv", 1), ("B.csv", 2), ("all.sqlite", 3)] == [(p.name, n) for n, p in enumerate(written, 1)]


def test_one_long_file_names_the_cell_in_each_row(tmp_path: Path) -> None:
    frames = fill(tmp_path / "store", "A", "B", ODD)
    (path,) = export(tmp_path / "store", (ODD, "A"), tmp_path / "new" / "all.csv", False, None)
    back = read(path)
    assert back[c.CELL_ID].unique().tolist() == [ODD, "A"]
    for cell_id in (ODD, "A"):
        rows = back[back[c.CELL_ID] == cell_id].drop(columns=c.CELL_ID)
        same(rows.reset_index(drop=True), frames[cell_id])


def test_bdf_has_labels_and_no_empty_column(tmp_path: Path) -> None:
    frames = fill(tmp_path / "store", "A")
    (path,) = export(tmp_path / "store", (), tmp_path / "A.bdf.csv", True, None)
    back = read(path)
    assert "Unix Time / s" not in back  # no wall clock in this record
    np.testing.assert_array_equal(back["Current / A"], frames["A"][c.CURRENT])
    np.testing.assert_array_equal(back["Voltage / V"], frames["A"][c.VOLTAGE])
    assert [name for name in back.columns if " / " not in name] == ["Step ID", "Step Type"]


@pytest.fixture
def exported(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, dict[str, pd.DataFrame]]]:
    frames = fill(tmp_path / "store", "A", "B", ODD)
    export(tmp_path / "store", ("A", ODD), None, False, tmp_path / "some.sqlite")
    with closing(sqlite3.connect(tmp_path / "some.sqlite")) as connection:
        yield connection, frames


def test_sqlite_holds_the_chosen_cells_alone_and_whole(
    exported: tuple[sqlite3.Connection, dict[str, pd.DataFrame]],
) -> None:
    connection, frames = exported
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    tables = ("cells", "clean_reports", "cycles", "findings", "record_sources", "quarantine_counts", "flag_counts")
    for table in (*tables, "simulations", "samples", "simulation_samples"):
        cells = {row[0] for row in connection.execute(f"SELECT DISTINCT cell_id FROM {table}")}
        assert cells == {"A", ODD}, table
    names = ", ".join(c.PARTITION_COLUMNS)
    for cell_id in ("A", ODD):
        rows = connection.execute(f"SELECT {names} FROM samples WHERE cell_id = ? ORDER BY sample", (cell_id,))
        back = pd.DataFrame(rows.fetchall(), columns=list(c.PARTITION_COLUMNS)).astype(c.PARTITION_COLUMNS)
        same(back, frames[cell_id])


FLOATS = st.floats(allow_infinity=False, width=64).map(lambda number: number + 0.0)  # SQLite has no -0.0
TIMES = st.lists(st.floats(0.0, 1e10), min_size=1, max_size=9, unique=True).map(sorted)


@given(TIMES, st.data())
@settings(max_examples=30, deadline=None)
def test_any_series_comes_out_of_the_sqlite_file_as_it_went_in(times: list[float], data: st.DataObject) -> None:
    count = len(times)
    made: dict[str, Any] = {}
    for name, kind in c.PARTITION_COLUMNS.items():
        if kind == "str":
            made[name] = data.draw(st.lists(st.sampled_from(c.STEP_TYPES), min_size=count, max_size=count))
        elif kind == "float64":
            made[name] = data.draw(arrays(np.float64, count, elements=FLOATS))
        else:
            bounds = np.iinfo(kind)
            made[name] = data.draw(arrays(kind, count, elements=st.integers(int(bounds.min), int(bounds.max))))
    frame = pd.DataFrame(made | {c.TEST_TIME: times}).astype(c.PARTITION_COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "store", "A", without_simulations={"A": frame})
        export(Path(folder) / "store", (), None, False, Path(folder) / "some.sqlite")
        with closing(sqlite3.connect(Path(folder) / "some.sqlite")) as connection:
            rows = connection.execute(f"SELECT {', '.join(c.PARTITION_COLUMNS)} FROM samples ORDER BY sample")
            back = pd.DataFrame(rows.fetchall(), columns=list(c.PARTITION_COLUMNS)).astype(c.PARTITION_COLUMNS)
    for name, kind in c.PARTITION_COLUMNS.items():
        if kind == "float64":
            known = frame[name].notna().to_numpy()
            assert (back[name].notna().to_numpy() == known).all(), name
            assert back[name].to_numpy()[known].tobytes() == frame[name].to_numpy()[known].tobytes(), name
        else:
            assert back[name].tolist() == frame[name].tolist(), name


def test_the_file_answers_what_cleaning_did(exported: tuple[sqlite3.Connection, dict[str, pd.DataFrame]]) -> None:
    connection, _ = exported
    ask = connection.execute
    counted = "SELECT rule, findings, samples_flagged, rows_quarantined FROM rules_by_cell WHERE cell_id = 'A'"
    assert ask(counted).fetchall() == [
        ("duplicate_row", 1, 0, 7), ("voltage_missing", 2, 6, 0),
    ]  # fmt: skip
    assert ask("SELECT path, rule, rows FROM quarantined_rows WHERE cell_id = 'A'").fetchall() == [
        ("raw/A.csv", "duplicate_row", 7)
    ]
    (change,) = ask("SELECT rule, charge_in_ah, charge_in_percent FROM charge_by_rule WHERE cell_id = 'A'").fetchall()
    assert change == ("current_missing", -0.1, pytest.approx(-100 * 0.1 / 9.9))


def test_views_answer_the_four_questions(exported: tuple[sqlite3.Connection, dict[str, pd.DataFrame]]) -> None:
    connection, frames = exported
    ask = connection.execute
    cycles = ask("SELECT cycle_count, count(*) FROM cell_cycles WHERE cell_id = 'A' GROUP BY 1").fetchall()
    assert cycles == [(1, 30), (2, 30)]
    against = ask(
        "SELECT measured_voltage_volt, simulated_voltage_volt, voltage_error_mv FROM simulation_against_experiment"
        " WHERE cell_id = ? AND cycle_count = 2 AND model = 'DFN' AND parameter_set = 'Chen2020'",
        (ODD,),
    ).fetchall()
    measured = frames[ODD][c.VOLTAGE].to_numpy()[30:]
    expected = [(volt, volt + ERROR_VOLT, 1000 * ERROR_VOLT) for volt in measured]
    np.testing.assert_allclose(np.array(against), expected, atol=1e-9)
    sets = ask("SELECT parameter_set, base, cells, overrides FROM model_parameter_sets WHERE model = 'SPM'").fetchall()
    assert [row[:3] for row in sets] == [("Chen2020", "Chen2020", 2), ("slow", "Chen2020", 2)]
    assert sets[0][3] == "{}"
    assert "Negative particle radius [m]" in sets[1][3]
    curves = ask("SELECT model, parameter_set, cell_id, count(*) FROM default_parameter_curves GROUP BY 1, 2, 3")
    assert set(curves) == {(model, "Chen2020", cell, SAMPLES) for model in ("SPM", "DFN") for cell in ("A", ODD)}


@pytest.mark.parametrize("name", ["all.csv.gz", "all.parquet", "all.sqlite"])
def test_a_file_of_another_kind_is_not_made_a_folder(tmp_path: Path, name: str) -> None:
    fill(tmp_path / "store", "A")
    with pytest.raises(UsageError, match="--csv writes CSV only"):
        export(tmp_path / "store", (), tmp_path / name, False, None)
    assert not (tmp_path / name).exists()


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path / "store", "A", "B")
    out = tmp_path / "out"
    out.mkdir()
    (out / "B.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"B\.csv exists already"):
        export(tmp_path / "store", (), out, False, tmp_path / "e.sqlite")
    assert [path.name for path in out.iterdir()] == ["B.csv"]
    assert (out / "B.csv").read_text() == "mine"
    assert not (tmp_path / "e.sqlite").exists()
    for cell_id in ("A", "B"):
        Store(tmp_path / "store").cleaned(cell_id).write_bytes(b"PAR1 no more")
    assert export(tmp_path / "store", (), tmp_path / "long.csv", False, None) == []
    assert "A.parquet" in caplog.text
    assert "B.parquet" in caplog.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "store"]


def test_a_simulation_of_some_cycles_stands_beside_its_own_samples(tmp_path: Path) -> None:
    frames = fill(tmp_path / "store", "A")
    store, label = Store(tmp_path / "store"), f"{SIMULATED[0][0].name}-{SIMULATED[0][1].name}"
    second = simulation(frames["A"])[frames["A"][c.CYCLE_COUNT] == 2]
    write_frame(store, store.simulation("A", label), second, {})
    path = tmp_path / "A.sqlite"
    export(tmp_path / "store", ["A"], None, False, path)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT p.sample, p.test_time_second = s.test_time_second, p.cycle_count, s.cycle_count"
            " FROM simulation_samples p JOIN samples s ON s.cell_id = p.cell_id AND s.sample = p.sample"
            " WHERE p.label = ? ORDER BY p.sample",
            (label,),
        ).fetchall()
    assert rows == [(place, 1, 2, 2) for place in np.flatnonzero(frames["A"][c.CYCLE_COUNT] == 2).tolist()]


def test_other_outputs_of_a_simulation_have_a_row_each(tmp_path: Path) -> None:
    frames = fill(tmp_path / "store", "A")
    store, label = Store(tmp_path / "store"), f"{SIMULATED[0][0].name}-{SIMULATED[0][1].name}"
    second = simulation(frames["A"])[frames["A"][c.CYCLE_COUNT] == 2]
    celsius = 25.0 + np.arange(len(second), dtype=float)
    celsius[3] = np.nan
    write_frame(store, store.simulation("A", label), second.assign(cell_temperature_celsius=celsius), {})
    path = tmp_path / "A.sqlite"
    export(tmp_path / "store", ["A"], None, False, path)
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM simulation_outputs ORDER BY sample").fetchall()
    places = np.flatnonzero(frames["A"][c.CYCLE_COUNT] == 2).tolist()
    values = [None if np.isnan(value) else value for value in celsius.tolist()]
    name = "cell_temperature_celsius"
    assert rows == [("A", label, place, name, value) for place, value in zip(places, values, strict=True)]


def test_a_simulation_of_an_earlier_partition_is_refused(tmp_path: Path) -> None:
    frames = fill(tmp_path / "store", "A")
    store, label = Store(tmp_path / "store"), f"{SIMULATED[0][0].name}-{SIMULATED[0][1].name}"
    assert store.simulation("A", label).is_file()
    write_frame(store, store.simulation("A", label), simulation(frames["A"]).iloc[1:], {})
    with pytest.raises(StoreError, match="another partition"):
        export(tmp_path / "store", (), None, False, tmp_path / "e.sqlite")
    assert not (tmp_path / "e.sqlite").exists()


@pytest.mark.parametrize(
    ("cells", "csv", "bdf", "words"),
    [
        ((), None, False, "nothing to write"),
        ((), None, True, "nothing to write"),
        (("CELL_C",), "out", False, r'no cell "CELL_C" \(did you mean "CELL_'),
        (("bad",), "out", False, "'bad' is not cleaned"),
        ((), "all.csv", True, "one cell per file"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    tmp_path: Path, cells: tuple[str, ...], csv: str | None, bdf: bool, words: str
) -> None:
    fill(tmp_path / "store", "CELL_A", "CELL_B", not_cleaned="bad")
    with pytest.raises(UsageError, match=words):
        export(tmp_path / "store", cells, tmp_path / csv if csv else None, bdf, None)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
