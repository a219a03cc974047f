"""What kilocell needs from a raw file, for every reader."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kilocell.data import columns as c
from kilocell.data.errors import ReadError
from kilocell.data.readers import csv_reader, text_blocks
from kilocell.data.readers.read import READERS, cell_ids, guess_settings, read_by_cell, read_raw, source_file, survey
from kilocell.data.settings import ColumnMapping, SourceSettings

GUESS = SourceSettings()
BY_CELL = SourceSettings(cell_id_from="column:cell_id")
HEADER = "cell_id,test_time_s,current_A,voltage_V"
ODD_IDS = ["../../x", "a/b", "CON", "<script>", "x" * 300, "电池甲", "Zelle Ä", "0012", "NA", "None", "-"]


def write(folder: Path, *lines: str) -> Path:
    path = folder / "raw.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def joined(path: Path, settings: SourceSettings, rows_per_part: int) -> dict[str, pd.DataFrame]:
    parts: dict[str, list[pd.DataFrame]] = {}
    for cell, part in read_by_cell(path, settings, rows_per_part):
        parts.setdefault(cell, []).append(part)
    return {cell: pd.concat(frames, ignore_index=True) for cell, frames in parts.items()}


def test_the_readers_have_the_names_that_campaigns_use() -> None:
    assert set(READERS) == {"csv", "digatron", "parquet", "neware", "xlsx"}


def test_a_source_is_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_bytes(b"abc" * 1_000_000)
    source = source_file(path, BY_CELL)
    assert (source.path, source.bytes, source.settings) == (str(path), 3_000_000, BY_CELL)
    assert source.digest == hashlib.sha256(b"abc" * 1_000_000).hexdigest()
    path.unlink()
    for read in (source_file, read_raw):
        with pytest.raises(ReadError, match=r"raw\.csv: the file cannot be opened: No such file"):
            read(path, GUESS)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_ids_are_found_without_the_signs_of_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delimiter: str
) -> None:
    named = (("test_time_second", "test_time_s"), ("current_ampere", "current_A"), ("voltage_volt", "voltage_V"))
    columns = tuple(ColumnMapping(target, name) for target, name in named)
    settings = SourceSettings(columns=columns, cell_id_from="column:cell_id")
    rows = [f"C{row // 2000},{row},0.5,3.7".replace(",", delimiter) for row in range(4000)]
    path = write(tmp_path, HEADER.replace(",", delimiter), *rows)
    monkeypatch.delattr("kilocell.data.readers.csv_header.find_number_signs")
    monkeypatch.delattr("kilocell.data.readers.csv_header._tail")
    assert survey(path, settings) == (("C0", "C1"), ())
    with pytest.raises(NameError):
        read_raw(path, settings)


def test_ids_from_the_files_name_need_no_file() -> None:
    path = Path("lab/run-7/Cell 12.v2.csv")
    assert cell_ids(path, GUESS) == ("Cell 12.v2",)
    pattern = SourceSettings(cell_id_from=r"pattern:run-(?P<cell_id>\d+)/")
    assert cell_ids(path, pattern) == ("7",)
    with pytest.raises(ReadError, match=r"pattern 'x\(\?P<cell_id>y\)' of cell_id_from does not match"):
        cell_ids(path, SourceSettings(cell_id_from="pattern:x(?P<cell_id>y)"))


def test_odd_cell_ids_stay_as_they_are(tmp_path: Path) -> None:
    lines = [f"{cell},{second},1,3.7" for second in range(3) for cell in ODD_IDS]
    path = write(tmp_path, HEADER, *lines)
    assert cell_ids(path, BY_CELL) == tuple(ODD_IDS)
    parts = joined(path, BY_CELL, 2_000_000)
    assert list(parts) == ODD_IDS
    for place, cell in enumerate(ODD_IDS):
        frame = read_raw(path, BY_CELL, cell, source_index=3)
        assert frame[c.SOURCE_ROW].tolist() == [place, place + len(ODD_IDS), place + 2 * len(ODD_IDS)]
        assert frame[c.SOURCE_INDEX].tolist() == [3, 3, 3]
        pd.testing.assert_frame_equal(frame.assign(**{c.SOURCE_INDEX: parts[cell][c.SOURCE_INDEX]}), parts[cell])


def test_a_cell_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, "CELL_A,0,1,3.7")
    with pytest.raises(ReadError, match=r'has no cell "CELL_B" \(did you mean "CELL_A"'):
        read_raw(path, BY_CELL, "CELL_B")


def test_rows_without_a_cell_id_belong_to_the_cell_before(tmp_path: Path) -> None:
    lines = [",0,1,3.7", "A,1,1,3.7", ",2,x,3.7", "B,3,1,3.7", " ,4,1,3.7", "NaN,5,1,3.7", "A,6,1,3.7"]
    path = write(tmp_path, HEADER, *lines)
    assert cell_ids(path, BY_CELL) == ("A", "B")
    first, second = read_raw(path, BY_CELL, "A"), read_raw(path, BY_CELL, "B")
    assert first[c.TEST_TIME].tolist() == [0, 1, 2, 6]
    assert second[c.TEST_TIME].tolist() == [3, 4, 5]
    assert first[c.UNREADABLE].tolist() == ["cell_id missing", "", "current_A='x'; cell_id missing", ""]
    assert second[c.UNREADABLE].tolist() == ["", "cell_id missing", "cell_id missing"]


def test_a_column_without_any_cell_id(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, ",0,1,3.7", ",1,1,3.7")
    for read in (read_raw, cell_ids):
        with pytest.raises(ReadError, match="the column with cell ids is empty"):
            read(path, BY_CELL)
    assert guess_settings(path).cell_id_from == "stem"


@settings(deadline=None, max_examples=25)
@given(
    cells=st.lists(st.sampled_from(["A", "B", "C", ""]), min_size=1, max_size=60).filter(any),
    rows_per_part=st.integers(1, 70),
    block_bytes=st.integers(30, 400),
)
def test_reading_by_cell_is_reading_each_cell(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], rows_per_part: int, block_bytes: int
) -> None:
    lines = [f"{cell},{row},-1.5,3.7,{'oops' if row % 3 == 1 else 25}" for row, cell in enumerate(cells)]
    # The first block must know a cell.
    path = write(tmp_path_factory.mktemp("cells"), f"{HEADER},temperature_C", "A,0,1,3.7,25", *lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            csv_reader, "text_blocks", lambda path: text_blocks.text_blocks(path, block_bytes)
        )  # many small blocks, as a long file has
        parts = joined(path, BY_CELL, rows_per_part)
        blocked = read_raw(path, BY_CELL)
        assert cell_ids(path, BY_CELL) == tuple(parts)
    pd.testing.assert_frame_equal(blocked, read_raw(path, BY_CELL))
    for cell, part in parts.items():
        pd.testing.assert_frame_equal(part, read_raw(path, BY_CELL, cell))
    assert sorted(row for part in parts.values() for row in part[c.SOURCE_ROW]) == list(range(len(cells) + 1))
    assert (blocked[c.UNREADABLE].str.contains("cell_id missing")).sum() == cells.count("")


def test_a_long_file_is_handed_on_in_parts(tmp_path: Path) -> None:
    lines = [f"C{row % 4},{row},1,3.7" for row in range(100)]
    path = write(tmp_path, HEADER, *lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_reader, "text_blocks", lambda path: text_blocks.text_blocks(path, 200))
        sizes = [len(part) for _, part in read_by_cell(path, BY_CELL, rows_per_part=20)]
    assert len(sizes) > 8
    assert max(sizes) <= 10
    assert sum(sizes) == 100


def test_a_file_of_one_cell_is_read_by_cell_too(tmp_path: Path) -> None:
    path = write(tmp_path, "test_time_s,current_A,voltage_V", "0,1,3.7", "1,1,3.8")
    ((cell, frame),) = read_by_cell(path, GUESS)
    assert cell == "raw"
    pd.testing.assert_frame_equal(frame, read_raw(path, GUESS, "raw"))


def test_a_cell_whose_column_is_text_fails_alone(tmp_path: Path) -> None:
    good = [f"A,{second},1,3.7" for second in range(5)]
    path = write(tmp_path, HEADER, *good, "B,0,x,3.7", "B,1,x,3.7")
    assert len(read_raw(path, BY_CELL, "A")) == 5
    with pytest.raises(ReadError, match=r"column 'current_A': 2 of 2 values cannot be read; the first is in line 7"):
        read_raw(path, BY_CELL, "B")
    assert joined(path, BY_CELL, 100)["B"][c.UNREADABLE].tolist() == ["current_A='x'"] * 2


def test_one_clock_is_enough(tmp_path: Path) -> None:
    path = write(tmp_path, "datetime,test_time_s,current_A,voltage_V", "once,0,1,3.7", "upon,1,1,3.7")
    frame = read_raw(path, GUESS)
    assert frame[c.TEST_TIME].tolist() == [0, 1]
    assert frame[c.UNREADABLE].tolist() == ["datetime='once'", "datetime='upon'"]


def test_guessed_settings_name_every_column(tmp_path: Path) -> None:
    lines = ("datetime,cell_id,cycle,step,current_A,voltage_V,temperature_C", "2020-01-01 00:00:00,A,1,2,1,3.7,25")
    path = write(tmp_path, *lines)
    guessed = guess_settings(path)
    assert guessed == SourceSettings(
        reader="csv",
        columns=(
            ColumnMapping(c.UNIX_TIME, "datetime", ""),
            ColumnMapping(c.CYCLE_ID, "cycle", ""),
            ColumnMapping(c.STEP_ID, "step", ""),
            ColumnMapping(c.CURRENT, "current_A", "A"),
            ColumnMapping(c.VOLTAGE, "voltage_V", "V"),
            ColumnMapping(c.SURFACE_TEMPERATURE, "temperature_C", "C"),
        ),
        cell_id_from="column:cell_id",
    )
    pd.testing.assert_frame_equal(read_raw(path, guessed), read_raw(path, BY_CELL))


def test_the_long_csv_of_five_real_cells_reads_as_guessed(shared_data: Path) -> None:
    path = shared_data / "takehome_like/raw_cycling_data.csv"
    guessed = guess_settings(path)
    assert cell_ids(path, guessed) == ("CELL_A", "CELL_B", "CELL_C", "CELL_D", "CELL_E")
    raw = pd.read_csv(path)
    for cell, frame in joined(path, guessed, 4000).items():
        expected = raw[raw["cell_id"] == cell]
        assert frame[c.SOURCE_ROW].tolist() == expected.index.tolist()
        clock = pd.to_datetime(expected["datetime"]).to_numpy("datetime64[ms]").astype(np.int64) / 1e3
        np.testing.assert_allclose(frame[c.UNIX_TIME], clock, rtol=0, atol=1e-6)
        names = ["cycle", "step", "test_time_s", "current_A", "voltage_V", "temperature_C"]
        targets = [c.CYCLE_ID, c.STEP_ID, c.TEST_TIME, c.CURRENT, c.VOLTAGE, c.SURFACE_TEMPERATURE]
        np.testing.assert_array_equal(frame[targets].to_numpy(), expected[names].to_numpy())
        assert (frame[c.UNREADABLE] == "").all()


@pytest.mark.parametrize(
    ("name", "rows", "notes"),
    [
        ("arbin_a123/arbin_example.csv", 2142, 0),
        ("arbin_a123/batterydata/p492-13-raw.csv", 2021, 0),
        ("neware_melasta/star-1/structured_battery_data.bdf.csv", 13084, 0),
        ("neware_melasta/star-2/raw_data_output_from_cycler.csv", 13084, 0),
        ("formats_cellpy/data/neware_uio.csv", 9065, 0),
        ("formats_cellpy/data/custom_data_001.csv", 2444, 0),
        ("formats_cellpy/data/pec_multiple_tests/Test25205.csv", 489, 0),
        ("formats_cellpy/bad/custom_nan_inf.csv", 60, 2),
        ("formats_cellpy/bad/custom_truncated.csv", 60, 1),
        ("formats_pyprobe/arbin/sample_data_arbin.csv", 13, 0),
        ("formats_pyprobe/basytec/sample_data_basytec.txt", 74, 0),
        ("formats_pyprobe/biologic/Sample_data_biologic_01_MB_CA1.txt", 1397, 0),
        ("formats_pyprobe/biologic/Sample_data_biologic_timestamped.txt", 8, 0),
        ("formats_pyprobe/maccor/sample_data_maccor.csv", 15, 0),
        ("formats_pyprobe/novonix/sample_data_novonix.csv", 207, 0),
    ],
)
def test_exports_of_many_cyclers_read_as_guessed(shared_data: Path, name: str, rows: int, notes: int) -> None:
    path = shared_data / name
    frame = read_raw(path, guess_settings(path))
    assert len(frame) == rows
    assert (frame[c.UNREADABLE] != "").sum() == notes
    assert frame[c.VOLTAGE].median() < 5
    assert frame[c.CURRENT].abs().max() < 70
    assert frame[[c.TEST_TIME, c.UNIX_TIME]].notna().any(axis=1).mean() > 0.98


def test_exports_without_current_say_so(shared_data: Path) -> None:
    with pytest.raises(ReadError, match=r"no column such as current_A, .* for current_ampere; line 1 has 'Time \[s\]'"):
        guess_settings(shared_data / "lgm50_1C/LGM50_789_1C_25degC.csv")


@settings(deadline=None, max_examples=40)
@given(
    cells=st.lists(st.sampled_from(["A", "B", "C", ""]), min_size=1, max_size=60),
    preamble=st.integers(0, 3),
    latin1=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    range_bytes=st.integers(1, 900),
    block_bytes=st.integers(1, 300),
)
def test_reading_in_parts_is_reading_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    cells: list[str],
    preamble: int,
    latin1: bool,
    end: str,
    range_bytes: int,
    block_bytes: int,
) -> None:
    odd = ["", ",1,1", ',"7",1,3.7', f",oops {'é' if latin1 else 'e'},1,3.7", ",8,1,3.7,9,9,9"]
    lines = ["A,0,1,3.7,25", "B,1,1,3.7,25"]
    lines += [
        f"{cell}{odd[row % 5]}" if row % 3 == 1 else f"{cell},{row},-1.5,3.7,25" for row, cell in enumerate(cells)
    ]
    path = tmp_path_factory.mktemp("parts") / "raw.csv"
    text = end.join(["Serial,°C" if latin1 else "Serial"] * preamble + [f"{HEADER},temperature_C", *lines, ""])
    path.write_bytes(text.encode("latin-1" if latin1 else "utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            csv_reader, "text_blocks", lambda path, part=None: text_blocks.text_blocks(path, block_bytes, part)
        )
        ids, parts = survey(path, BY_CELL, range_bytes)
        whole = joined(path, BY_CELL, 1000)
        assert ids == cell_ids(path, BY_CELL) == tuple(whole)
        apart: dict[str, list[pd.DataFrame]] = {}
        for part in parts:
            held: dict[str, int] = {}
            for cell, frame in read_by_cell(path, BY_CELL, part=part):
                apart.setdefault(cell, []).append(frame)
                held[cell] = len(frame)
            assert held == dict(part.cells)
    if parts:
        assert [part.start for part in parts] == [0, *(part.end for part in parts[:-1])]
        assert parts[-1].end == path.stat().st_size
        for cell, frame in whole.items():
            pd.testing.assert_frame_equal(pd.concat(apart[cell], ignore_index=True), frame)


def test_a_file_that_is_short_or_of_one_cell_or_in_utf16_or_packed_has_no_parts(tmp_path: Path) -> None:
    lines = [HEADER, *(f"C{row % 2},{row},1,3.7" for row in range(20_000))]
    assert survey(write(tmp_path, *lines), BY_CELL) == (("C0", "C1"), ())
    path = tmp_path / "raw.csv"
    assert len(survey(write(tmp_path, *lines, *lines[1:] * 20), BY_CELL, 100_000)[1]) > 1
    assert survey(path, SourceSettings(), 100_000) == (("raw",), ())
    path.write_text("\n".join(lines).replace("C1", "C0"))
    assert survey(path, BY_CELL, 1000) == (("C0",), ())
    path.write_text("\n".join(lines * 20), encoding="utf-16")
    assert survey(path, BY_CELL, 1000)[1] == ()
    # What is packed unpacks to many times its size, which makes no parts of it.
    path.write_bytes(gzip.compress("\n".join(lines * 20).encode()))
    assert survey(path, BY_CELL, 1000) == (("C0", "C1", "cell_id"), ())


@settings(deadline=None, max_examples=30)
@given(
    cells=st.lists(st.sampled_from(["A", "B", "C", "", None]), min_size=1, max_size=60),
    rows=st.integers(1, 20),
    range_bytes=st.integers(1, 3000),
)
def test_reading_row_groups_is_reading_the_file(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str | None], rows: int, range_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("groups") / "raw.parquet"
    time = np.arange(len(cells) + 2.0)
    frame = pd.DataFrame({"cell_id": ["A", "B", *cells], "test_time_s": time, "current_A": 1.0, "voltage_V": 3.7})
    frame.to_parquet(path, row_group_size=rows)
    asked = SourceSettings(reader="parquet", cell_id_from="column:cell_id")
    ids, parts = survey(path, asked, range_bytes)
    whole = joined(path, asked, 1000)
    assert ids == cell_ids(path, asked) == tuple(whole)
    apart: dict[str, list[pd.DataFrame]] = {}
    for part in parts:
        for cell, held in read_by_cell(path, asked, part=part):
            apart.setdefault(cell, []).append(held)
            assert dict(part.cells)[cell] == len(held)
    for cell in apart:
        pd.testing.assert_frame_equal(pd.concat(apart[cell], ignore_index=True), whole[cell])
    assert not parts or set(apart) == set(whole)
