"""Blocks of a CSV file's lines as columns: with pyarrow's strict parser, and line by line where that refuses."""

# pyarrow.compute makes its functions at import; no type checker sees them.
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from .csv_layout import Layout
from .csv_values import ISO, MISSING
from .field_counts import square
from .text_blocks import TextBlock

_NULLS: Final = sorted({form for text in MISSING for form in (text, text.upper(), text.capitalize())} | {"NaN"})


@dataclass(frozen=True, slots=True)
class Parsed:
    """Columns of a block by their place in the file, each row's line in it, and what was wrong with a row."""

    arrays: dict[int, pa.Array]
    lines: NDArray[np.int64]
    notes: dict[int, str]


def parse(block: TextBlock, layout: Layout, indices: Sequence[int]) -> Parsed:
    """Parse columns of a block: as numbers and times where all of them are, everything else as text."""
    numbers: dict[int, pa.DataType] = {
        column.index: pa.float64() for column in layout.columns if column.kind == "number"
    }
    dates = [column.index for column in layout.columns if column.kind == "datetime" and column.date == ISO]
    typed = numbers | dict.fromkeys(dates, pa.timestamp("us"))
    if layout.cell is not None and layout.cell not in typed:
        typed[layout.cell] = pa.dictionary(pa.int32(), pa.string())
    # Nearly every block is all well: only where this fails are its lines looked at one by one.
    arrays = _strict(block.data, layout, indices, typed, block.lines)
    if arrays is not None:
        return Parsed(arrays, np.arange(block.first_line, block.first_line + block.lines, dtype=np.int64), {})
    squared = square(block, layout.header)
    if squared.fields is not None:
        arrays = {index: pa.array([row[index] for row in squared.fields], pa.string()) for index in indices}
    elif len(squared.lines):
        rows = len(squared.lines)
        arrays = _strict(squared.data, layout, indices, numbers, rows)
        if arrays is None:  # some text among the numbers: read the block as text and look at each value
            arrays = _parsed_as(squared.data, layout, indices, {})
    return Parsed(arrays or {}, squared.lines, squared.notes)


def _strict(
    data: bytes, layout: Layout, indices: Sequence[int], types: Mapping[int, pa.DataType], rows: int
) -> dict[int, pa.Array] | None:
    """Parse lines as columns of these types; ``None`` where one does not fit, or is no row of the usual width."""
    if not data:
        return None
    try:
        arrays = _parsed_as(data, layout, indices, types)
    except pa.ArrowInvalid:
        return None
    # Blank lines, and quotes that reach beyond their line, give fewer rows.
    whole = all(len(array) == rows for array in arrays.values())
    finite = (
        np.isfinite(pc.max(pc.abs(array)).as_py() or 0.0)
        for array in arrays.values()
        if pa.types.is_floating(array.type)
    )
    return arrays if whole and all(finite) else None


def _parsed_as(
    data: bytes, layout: Layout, indices: Sequence[int], types: Mapping[int, pa.DataType]
) -> dict[int, pa.Array]:
    chosen = {str(index): types.get(index, pa.string()) for index in indices}
    table = pacsv.read_csv(
        pa.BufferReader(data),
        pacsv.ReadOptions(
            use_threads=False,
            block_size=len(data) + 1,
            column_names=[str(index) for index in range(layout.header.width)],
        ),
        pacsv.ParseOptions(delimiter=layout.header.delimiter, quote_char='"' if b'"' in data else False),
        pacsv.ConvertOptions(
            column_types=chosen,
            include_columns=list(chosen),
            null_values=_NULLS,
            strings_can_be_null=False,
            timestamp_parsers=[pacsv.ISO8601],
            decimal_point=layout.header.decimal,
        ),
    )
    return {int(name): table[name].combine_chunks() for name in chosen}
