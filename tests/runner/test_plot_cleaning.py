"""The figure of raw against cleaned data: of files as a campaign names them, cleaned as a run cleans them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.errors import StoreError, UsageError
from kilocell.data.rules import flag_bit
from kilocell.data.settings import SourceFile, SourceSettings
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_receipt
from kilocell.parquet_store.write import write_frame, write_receipt
from kilocell.report.cleaning_figures import plot_cleaning
from kilocell.report.cleaning_marks import find_marks
from kilocell.report.raw_rows import BeforeAndAfter, read_before_and_after
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.commands.plot import draw_cleanings
from kilocell.runner.plan.scan import record_sources
from kilocell.runner.run.run_campaign import scan_and_plan
from kilocell.runner.worker.run_job import run_job
from kilocell.sqlite import queries
from kilocell.sqlite.catalog import Catalog
from matplotlib.image import imread

WRITTEN = {
    "time": c.TEST_TIME,
    "cycle": c.CYCLE_ID,
    "step": c.STEP_ID,
    "current": c.CURRENT,
    "voltage": c.VOLTAGE,
    "wall": c.UNIX_TIME,
}
CAMPAIGN = """
name = "two"
models = ["SPM"]
[[sources]]
files = ["{files}"]
reader = "csv"
cell_id = "{cell_id}"
current_sign = "charge_positive"
[sources.columns]
test_time_second = {{ column = "time", unit = "s" }}
unix_time_second = "wall"
cycle_id = "cycle"
step_id = "step"
current_ampere = {{ column = "current", unit = "A" }}
voltage_volt = {{ column = "voltage", unit = "V" }}
[cells.defaults]
parameter_sets = ["Chen2020"]
nominal_capacity_ah = 2.0
"""


SCHEDULE = ((1, 0.0, 600.0), (2, 1.0, 2400.0), (3, 0.0, 600.0), (4, -2.0, 1200.0), (5, 0.0, 1800.0))
"""Step number, A and s of each step of a cycle."""


def damaged(shift_second: float = 0.0) -> pd.DataFrame:
    """Two cycles with a spike, a hole in the current and one in the voltage, two rows swapped and a copy."""
    steps = [(cycle, *step) for cycle in (1.0, 2.0) for step in SCHEDULE]
    counts = [int(seconds / 10.0) for *_, seconds in steps]
    cycle, step, current = (np.repeat([float(entry[k]) for entry in steps], counts) for k in range(3))
    time = 10.0 * np.arange(len(cycle))
    voltage = 3.7 + 0.3 * np.cumsum(current) / 360.0 + 0.05 * current
    voltage += 0.0005 * np.random.default_rng(0).standard_normal(len(time))
    voltage[150] = 9.9999
    voltage[250:290] = np.nan
    current[200:203] = np.nan
    frame = pd.DataFrame({c.TEST_TIME: time, c.CYCLE_ID: cycle, c.STEP_ID: step, c.CURRENT: current})
    frame = frame.assign(**{c.VOLTAGE: voltage.round(5), c.UNIX_TIME: 1.7e9 + shift_second + time})
    return frame.iloc[[*range(80), 81, 80, *range(82, 331), 330, *range(331, len(frame))]].reset_index(drop=True)


def cleaned_store(folder: Path, files: str, cell_id: str) -> Store:
    """Split and clean what a campaign names, and record it, without a cluster."""
    (folder / "campaign.toml").write_text(CAMPAIGN.format(files=files, cell_id=cell_id))
    campaign = load_campaign(folder / "campaign.toml")
    scanned, jobs = scan_and_plan(campaign)[:2]
    store = Store(campaign.store)
    done = [job for job in jobs if job.kind in ("split", "clean")]
    for job in done:
        assert run_job(str(store.root), job).status == "done"
    with Catalog.open(store.catalog) as catalog:
        record_sources(catalog, scanned)
        for job in done:
            receipt = read_receipt(store.receipt(job.kind, job.cell_id, job.label))
            assert receipt is not None
            catalog.record(receipt, None)
    return store


def write(path: Path, raw: pd.DataFrame, **constants: str) -> None:
    frame = pd.DataFrame({name: raw[column] for name, column in WRITTEN.items()})
    frame["wall"] = pd.to_datetime(frame["wall"], unit="s").dt.strftime("%Y-%m-%d %H:%M:%S")
    frame.assign(**constants).to_csv(path, index=False)


def read(store: Store, cell_id: str) -> BeforeAndAfter:
    with closing(queries.connect(store.catalog)) as catalog:
        return read_before_and_after(store, catalog, cell_id)


def assert_raw_stands_beside_cleaned(record: BeforeAndAfter, raw: pd.DataFrame) -> None:
    """Every sample's raw row has the wall clock of the sample, and the raw values of the file."""
    np.testing.assert_allclose(record.raw[c.UNIX_TIME], record.samples[c.UNIX_TIME])
    untouched = (record.samples[c.FLAGS] == 0).to_numpy()
    np.testing.assert_array_equal(record.raw[c.VOLTAGE][untouched], record.samples[c.VOLTAGE][untouched])
    rows = [*record.raw[c.SOURCE_ROW], *record.quarantined[c.SOURCE_ROW]]
    assert len(rows) == len(raw)
    flags = record.samples[c.FLAGS].to_numpy()
    spike = flags & flag_bit("voltage_spike") != 0
    assert record.raw[c.VOLTAGE][spike].tolist() == [9.9999] * int(spike.sum())
    (copy,) = record.quarantined[c.UNIX_TIME][:1]
    at = int(np.flatnonzero(record.samples[c.UNIX_TIME] == copy)[0])
    assert record.quarantined[c.TEST_TIME].iloc[0] == pytest.approx(record.samples[c.TEST_TIME][at])


@pytest.fixture
def one_file(tmp_path: Path) -> Store:
    write(tmp_path / "A.csv", damaged())
    return cleaned_store(tmp_path, "A.csv", "stem")


def test_a_row_taken_out_stands_at_its_time_where_the_clock_was_in_ms(tmp_path: Path) -> None:
    raw = damaged()
    late = raw.iloc[[*range(340), 300, *range(340, len(raw))]].reset_index(drop=True)  # a copy, 40 rows after its own
    write(tmp_path / "A.csv", late.assign(**{c.TEST_TIME: 1000.0 * late[c.TEST_TIME]}))
    record = read(cleaned_store(tmp_path, "A.csv", "stem"), "A")
    assert record.samples[c.TEST_TIME].iloc[-1] == pytest.approx(raw[c.TEST_TIME].iloc[-1])
    ours = record.samples.set_index(c.UNIX_TIME)[c.TEST_TIME]
    taken = record.quarantined
    assert len(taken) == 2
    np.testing.assert_allclose(taken[c.TEST_TIME], ours[taken[c.UNIX_TIME]], atol=1e-6)


def test_the_raw_rows_of_a_file_are_found_again(one_file: Store) -> None:
    record = read(one_file, "A")
    assert_raw_stands_beside_cleaned(record, damaged())
    marks = {rule.code: rule for rule in find_marks(record)}
    assert {code: rule.rows for code, rule in marks.items()} == {
        "duplicate_row": 1, "time_order": 2, "voltage_spike": 1, "current_missing": 3, "voltage_missing": 40,
    }  # fmt: skip
    assert all(rule.one_by_one for rule in marks.values())


def test_inserted_samples_have_no_raw_row(one_file: Store) -> None:
    """Two samples inserted by hand at a step's edge: the others keep their raw rows, and the figure is drawn."""
    before = read(one_file, "A")
    samples = before.samples
    edge = samples.iloc[[100, 100]].assign(
        **{
            c.TEST_TIME: samples[c.TEST_TIME][100] + np.array([0.5, 0.501]),
            c.SOURCE_ROW: c.NO_SOURCE_ROW,
            c.FLAGS: flag_bit("step_edge"),
        }
    )
    longer = pd.concat([samples.iloc[:101], edge, samples.iloc[101:]], ignore_index=True).astype(c.PARTITION_COLUMNS)
    receipt = read_receipt(one_file.receipt("clean", "A", "clean"))
    assert receipt is not None
    write_frame(one_file, one_file.cleaned("A"), longer, {"cell_id": "A"})
    write_receipt(one_file, receipt)
    record = read(one_file, "A")
    assert len(record.raw) == len(record.samples) == len(samples) + 2
    assert np.flatnonzero(~record.is_row).tolist() == [101, 102]
    assert record.raw.loc[[101, 102], [c.VOLTAGE, c.CURRENT, c.TEST_TIME]].isna().all(axis=None)
    pd.testing.assert_frame_equal(record.raw[record.is_row].reset_index(drop=True), before.raw)
    pd.testing.assert_frame_equal(record.quarantined, before.quarantined)
    marks = {rule.code: rule.rows for rule in find_marks(record)}
    assert (marks["step_edge"], marks["voltage_spike"]) == (2, 1)
    assert [path.name for path in draw_cleanings(one_file.root, (), "", False)] == ["cleaning_A.png", "cleaning_A.pdf"]


def test_the_raw_rows_of_a_long_file_come_from_the_store(tmp_path: Path) -> None:
    for cell_id in ("A", "B"):
        write(tmp_path / f"{cell_id}.part", damaged(), cell=cell_id)
    long = pd.concat([pd.read_csv(tmp_path / f"{cell_id}.part") for cell_id in ("A", "B")])
    long.to_csv(tmp_path / "long.csv", index=False)
    store = cleaned_store(tmp_path, "long.csv", "column:cell")
    (tmp_path / "long.csv").unlink()
    for cell_id in ("A", "B"):
        assert_raw_stands_beside_cleaned(read(store, cell_id), damaged())


def test_several_files_are_told_apart_whatever_their_names(tmp_path: Path) -> None:
    later = damaged(shift_second=1e6)
    write(tmp_path / "X_1.csv", later)
    write(tmp_path / "X_2.csv", damaged())
    store = cleaned_store(tmp_path, "X_*.csv", "pattern:(?P<cell_id>X)_")
    record = read(store, "X")
    np.testing.assert_allclose(record.raw[c.UNIX_TIME], record.samples[c.UNIX_TIME])
    with closing(queries.connect(store.catalog)) as catalog:
        assert [Path(row["path"]).name for row in queries.record_sources(catalog, "X")] == ["X_2.csv", "X_1.csv"]
        taken = queries.quarantined_rows(catalog, "X")
    assert [(Path(row["path"]).name, row["rule"], row["rows"]) for row in taken] == [
        ("X_2.csv", "duplicate_row", 1), ("X_1.csv", "duplicate_row", 1),
    ]  # fmt: skip


def test_a_file_that_moved_is_found_and_one_that_changed_is_refused(one_file: Store, tmp_path: Path) -> None:
    (tmp_path / "A.csv").rename(tmp_path / "elsewhere.csv")
    with pytest.raises(StoreError, match=r"A\.csv is gone: put it back"):
        read(one_file, "A")
    (tmp_path / "moved").mkdir()
    moved = (tmp_path / "elsewhere.csv").rename(tmp_path / "moved" / "A.csv")
    with Catalog.open(one_file.catalog) as catalog, closing(queries.connect(one_file.catalog)) as reader:
        (known,) = queries.sources(reader, "A")
        file = SourceFile(str(moved), known["bytes"], known["digest"], SourceSettings())
        catalog.put_source(file, ("A",), moved.stat().st_mtime_ns)
    assert_raw_stands_beside_cleaned(read(one_file, "A"), damaged())
    moved.rename(tmp_path / "A.csv")
    with (tmp_path / "A.csv").open("a") as longer:
        longer.write("1,2,3,4,5,6\n")
    with pytest.raises(StoreError, match="has changed since cell 'A' was cleaned: `kilocell run`"):
        read(one_file, "A")


def test_the_figure_is_written_whole_and_by_cycle(one_file: Store) -> None:
    names = [path.name for path in draw_cleanings(one_file.root, (), "", False)]
    assert names == ["cleaning_A.png", "cleaning_A.pdf"]
    image = imread(one_file.figures / "cleaning_A.png")
    assert image.shape[1] == 1050
    assert [path.name for path in draw_cleanings(one_file.root, ("A",), "2", False)] == [
        "cleaning_A_cycles-2.png", "cleaning_A_cycles-2.pdf",
    ]  # fmt: skip


def test_the_same_data_make_the_same_picture(one_file: Store) -> None:
    first = [path.read_bytes() for path in plot_cleaning(one_file, "A")]
    assert [path.read_bytes() for path in plot_cleaning(one_file, "A")] == first


def _exhaust(paths: Iterator[Path]) -> None:
    for _ in paths:
        pass


def test_what_cannot_be_drawn_is_refused_in_words(one_file: Store) -> None:
    for cells, cycles, others, words in (
        (("a",), "", False, 'did you mean "A"'),
        (("A",), "7", False, "there is no cycle 7"),
        (("A",), "", True, "leave out --model"),
    ):
        with pytest.raises(UsageError, match=words):
            _exhaust(draw_cleanings(one_file.root, cells, cycles, others))
