"""A record as plain arrays: code that looks at hundreds of columns would spend its time in the frame of pandas."""

# pyarrow.compute makes its functions at import; no type checker sees them.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ...data.arrays import Indices, Integers, Mask

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """A column of texts that repeat: the word of each row as a place in a list of words.

    Args:
        codes: places in ``words``, shape (n,); -1 = no text.
        words: different from each other. Some are in no row, if rows were taken out.
    """

    codes: Integers
    words: tuple[str, ...]

    @classmethod
    def from_texts(cls, texts: Any) -> Self:
        """Return texts as words; if all are empty, there is none.

        Args:
            texts: as pandas has them, shape (n,).
        """
        if not pc.max(pc.binary_length(pa.array(texts))).as_py():
            return cls(np.broadcast_to(np.int64(-1), (len(texts),)), ())
        codes, words = pd.factorize(texts)
        return cls(codes, tuple(map(str, words)))

    def texts(self) -> Any:
        """Return the texts as pandas has them, "" for a row without one, shape (n,)."""
        words = pa.array([*self.words, ""], pa.large_string())
        dtype: Any = pd.StringDtype(na_value=np.nan)
        return dtype.__from_arrow__(words.take(pa.array(np.where(self.codes < 0, len(self.words), self.codes))))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, which: int | Mask | Indices | slice) -> Any:
        """Return the text of a row ("" if there is none), or some rows."""
        if isinstance(which, int):
            code = int(self.codes[which])
            return self.words[code] if code >= 0 else ""
        return Words(self.codes[which], self.words)


class Columns(Protocol):
    """Columns by name, of one length: a :class:`Table`, or a frame of pandas."""

    def __getitem__(self, name: str, /) -> Any: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of one length. A table is never changed: its methods return another one, which shares what is the same.

    Args:
        columns: by name: arrays of numbers, texts as pandas has them, or :class:`Words`. Nobody writes to them.
        labels: of the rows, shape (n,).
        known: what :meth:`once` has calculated; tables that share columns share it.
    """

    columns: Mapping[str, Any]
    labels: Integers
    known: dict[Any, tuple[list[Any], Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> Self:
        """Return a table of these columns, at least one, whose labels are their positions."""
        return cls(columns, np.arange(len(next(iter(columns.values())))))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Return a frame's columns and index; the memory is shared."""
        columns = {}
        for name, series in frame.items():
            is_numbers = isinstance(series.dtype, np.dtype)
            columns[str(name)] = series.to_numpy() if is_numbers else series.array
        return cls(columns, frame.index.to_numpy())

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with these columns and labels; the memory is shared."""
        return pd.DataFrame(dict(self.columns), index=self.labels, copy=False)

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __getitem__(self, name: str, /) -> Any:
        return self.columns[name]

    def assign(self, **columns: Any) -> Table:
        """Return the table with new or other columns.

        Args:
            columns: arrays of shape (n,), or one number for all rows.
        """
        arrays = {name: np.full(len(self), value) if np.isscalar(value) else value for name, value in columns.items()}
        return Table({**self.columns, **arrays}, self.labels, self.known)

    def once(self, calculate: Callable[..., Result], names: Sequence[str], *settings: Hashable) -> Result:
        """Return ``calculate(table, *settings)``, which is calculated again only when a column has changed.

        Args:
            calculate: a function of this table's columns; nobody writes to what it returns.
            names: the columns that it looks at.
            settings: its other arguments.
        """
        columns = [self.columns[name] for name in names]
        before = self.known.get((calculate, settings))
        if before is not None and all(one is other for one, other in zip(before[0], columns, strict=True)):
            return cast(Result, before[1])
        result = calculate(self, *settings)
        self.known[calculate, settings] = columns, result
        return result

    def rows(self, which: Mask | Indices | slice) -> Table:
        """Return some rows, with their labels.

        Args:
            which: a mask of shape (n,), positions in their new order, or a slice.
        """
        return Table({name: column[which] for name, column in self.columns.items()}, self.labels[which])
