"""Turn Neware's layered CSV into one plain table.

Such a file has a line for each cycle, below it a line for each step of the cycle, and below that the records of the
step. The first three lines name the columns of the three layers. A line that starts with two empty fields is a record,
with one empty field a step, any other line a cycle. The first step may follow its cycle in the same line.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from .text_blocks import TextBlock

LAYER_NAMES: Final = ("Cycle Index", "Step Index", "Step Type")
"""Columns that are put before each record, with the values of its cycle and its step."""

_HEADS: Final = (re.compile(r"Cycle Index,"), re.compile(r",Step Index,"), re.compile(r",,DataPoint,"))
_SECTION: Final = re.compile(rb"(?m)^(?!,,)[^\n]*\n")
_RECORD: Final = re.compile(rb"(?m)^,,")


def is_layered(lines: Sequence[str]) -> bool:
    """Tell whether a file has the three layers.

    Args:
        lines: its first lines; the first three name the layers.
    """
    return len(lines) > len(_HEADS) and all(head.match(line) for head, line in zip(_HEADS, lines, strict=False))


def plain_column_names(lines: Sequence[str]) -> list[str]:
    """Return the column names of the plain table.

    Args:
        lines: the three lines that name the layers.
    """
    return [*LAYER_NAMES, *lines[2].split(",")[2:]]


def flatten_lines(lines: Sequence[str]) -> list[str]:
    """Return the first lines of the plain table, without lines of cycles and steps.

    Args:
        lines: the first lines of the file.
    """
    plain = _Layers(lines[:3]).plain("".join(f"{line}\n" for line in lines).encode())
    return [line for line in plain.decode().split("\n") if line]


def flatten_blocks(blocks: Iterable[TextBlock], heads: Sequence[str]) -> Iterator[TextBlock]:
    """Put cycle, step and step type before each record; lines of cycles and steps become blank.

    Args:
        blocks: the lines of the file, from the first one.
        heads: the three lines that name the layers.
    """
    layers = _Layers(heads)
    for block in blocks:
        yield dataclasses.replace(block, data=layers.plain(block.data))


class _Layers:
    """Keeps the current cycle and step from block to block, for the records that follow."""

    def __init__(self, heads: Sequence[str]) -> None:
        step_names = heads[1].split(",")
        self._cycle_width = len(heads[0].split(","))
        self._kind = step_names.index(LAYER_NAMES[2])
        self._cycle = b""
        self._step = [b""] * len(step_names)

    def plain(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        done = 0
        for section in _SECTION.finditer(data):
            pieces += [self._records(data[done : section.start()]), b"\n"]
            done = section.end()
            fields = section[0].rstrip(b"\n").split(b",")
            if fields[0]:
                self._cycle = fields[0]
                step_fields = fields[self._cycle_width :]
                if step_fields:
                    self._step = [b"", *step_fields]
            else:
                self._step = fields
        return b"".join([*pieces, self._records(data[done:])])

    def _records(self, lines: bytes) -> bytes:
        step = self._step
        if len(step) <= self._kind:  # The line of the step is cut off.
            step = [b""] * (self._kind + 1)
        front = b",".join((self._cycle, step[1], step[self._kind], b""))
        return _RECORD.sub(lambda _: front, lines)
