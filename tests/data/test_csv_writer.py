"""Cleaned series as CSV read back as they were, whatever numbers they hold."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kilocell.data import columns as c
from kilocell.data.csv_writer import BDF_LABELS, BDF_RESET_LABELS, bdf_series, write_header, write_rows

FLOATS = st.floats(allow_infinity=False, width=64)
TYPES = {"float64": pa.float64(), "int32": pa.int32(), "int64": pa.int64(), "str": pa.string()}


@st.composite
def partitions(draw: st.DrawFn) -> pa.Table:
    n = draw(st.integers(0, 12))
    made: dict[str, Any] = {}
    for name, kind in c.PARTITION_COLUMNS.items():
        if kind == "str":
            made[name] = draw(st.lists(st.sampled_from(c.STEP_TYPES), min_size=n, max_size=n))
        elif kind == "float64":
            made[name] = draw(arrays(np.float64, n, elements=FLOATS))
        else:
            limits = np.iinfo(kind)
            made[name] = draw(arrays(kind, n, elements=st.integers(int(limits.min), int(limits.max))))
    frame = pd.DataFrame(made).astype(c.PARTITION_COLUMNS)
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    return table.cast(pa.schema([(name, TYPES[kind]) for name, kind in c.PARTITION_COLUMNS.items()]))


def read_back(written: bytes, schema: pa.Schema) -> pa.Table:
    types = {field.name: field.type for field in schema}
    options = pyarrow.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=False)
    return pyarrow.csv.read_csv(io.BytesIO(written), convert_options=options)


def bits(column: pa.ChunkedArray) -> list[bytes | None]:
    return [None if value is None else np.float64(value).tobytes() for value in column.to_pylist()]


def assert_identical(one: pa.Table, other: pa.Table) -> None:
    """The same columns, and in each the same numbers to the last bit, the sign of zero included."""
    assert one.column_names == other.column_names
    for name in one.column_names:
        if one.schema.field(name).type == pa.float64():
            assert bits(one.column(name)) == bits(other.column(name)), name
        else:
            assert one.column(name).to_pylist() == other.column(name).to_pylist(), name


@given(partitions())
@settings(max_examples=60, deadline=None)
def test_what_is_written_reads_back_identical(table: pa.Table) -> None:
    file = io.BytesIO()
    write_header(file, table.column_names)
    write_rows(file, table)
    assert b'"' not in file.getvalue()
    assert_identical(read_back(file.getvalue(), table.schema), table)


@given(partitions())
@settings(max_examples=60, deadline=None)
def test_bdf_holds_the_same_numbers_under_the_formats_labels(table: pa.Table) -> None:
    series = bdf_series(table)
    assert set(series.column_names) <= {*BDF_LABELS.values(), *BDF_RESET_LABELS.values()}
    assert series.column_names[:3] == ["Test Time / s", "Voltage / V", "Current / A"]
    file = io.BytesIO()
    write_header(file, series.column_names)
    write_rows(file, series)
    back = read_back(file.getvalue(), series.schema)
    assert_identical(back, series)
    for name, usual in BDF_LABELS.items():
        label = BDF_RESET_LABELS[name] if BDF_RESET_LABELS.get(name) in back.column_names else usual
        if label in back.column_names:
            assert back.column(label).to_pylist() == table.column(name).to_pylist()
        else:
            assert table.column(name).null_count == table.num_rows


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1).map(lambda text: f"c{text}"))
@settings(max_examples=60, deadline=None)
def test_any_cell_id_reads_back_in_front_of_every_row(cell_id: str) -> None:
    table = pa.table({c.TEST_TIME: [0.0, 1.5], c.STEP_TYPE: ["rest", "charge"]})
    file = io.BytesIO()
    write_header(file, [c.CELL_ID, *table.column_names])
    write_rows(file, table, {c.CELL_ID: cell_id})
    back = read_back(file.getvalue(), pa.schema([(c.CELL_ID, pa.string()), *table.schema]))
    assert back.column(c.CELL_ID).to_pylist() == [cell_id, cell_id]
    assert_identical(back.drop_columns([c.CELL_ID]), table)


def test_a_counter_that_goes_back_is_not_called_one_of_the_whole_test() -> None:
    count = 4
    table = pa.table({name: pa.nulls(count, TYPES[kind]) for name, kind in c.PARTITION_COLUMNS.items()})
    for name, values in ((c.CHARGING_CAPACITY, [0.0, 1.0, 0.0, 0.5]), (c.DISCHARGING_CAPACITY, [0.0, None, 0.5, 0.5])):
        table = table.set_column(table.column_names.index(name), name, pa.array(values, pa.float64()))
    assert bdf_series(table).column_names[3:] == ["Schedule Charging Capacity / Ah", "Discharging Capacity / Ah"]


def test_the_labels_are_of_columns_that_there_are() -> None:
    assert set(BDF_LABELS) <= set(c.PARTITION_COLUMNS)
    assert len(set(BDF_LABELS.values())) == len(BDF_LABELS)
