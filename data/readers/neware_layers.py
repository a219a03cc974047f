"""Neware's layered CSV: lines of cycles, of steps beneath them, and of records beneath these, as one plain table.

The first three lines name what each layer holds: a line that begins with two empty fields is a record, one with a
single empty field a step, any other a cycle. The first step may stand behind its cycle in one line.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from .text_blocks import TextBlock

LAYER_NAMES: Final = ("Cycle Index", "Step Index", "Step Type")
"""What stands in front of each record: what its cycle's and its step's lines say."""

_HEADS: Final = (re.compile(r"Cycle Index,"), re.compile(r",Step Index,"), re.compile(r",,DataPoint,"))
_SECTION: Final = re.compile(rb"(?m)^(?!,,)[^\n]*\n")
_RECORD: Final = re.compile(rb"(?m)^,,")


def is_layered(lines: Sequence[str]) -> bool:
    """Tell from its first three lines whether a file has the three layers."""
    return len(lines) > len(_HEADS) and all(head.match(line) for head, line in zip(_HEADS, lines, strict=False))


def plain_column_names(lines: Sequence[str]) -> list[str]:
    """Return the columns of the plain table."""
    return [*LAYER_NAMES, *lines[2].split(",")[2:]]


def flatten_lines(lines: Sequence[str]) -> list[str]:
    """Return a file's first lines as those of the plain table; lines of cycles and steps are left out."""
    plain = _Layers(lines[:3]).plain("".join(f"{line}\n" for line in lines).encode())
    return [line for line in plain.decode().split("\n") if line]


def flatten_blocks(blocks: Iterable[TextBlock], heads: Sequence[str]) -> Iterator[TextBlock]:
    """Put cycle, step and step type in front of each record; lines of cycles and steps become blank ones.

    Args:
        blocks: a file's lines from the first one on.
        heads: the three lines that name the layers.
    """
    layers = _Layers(heads)
    for block in blocks:
        yield dataclasses.replace(block, data=layers.plain(block.data))


class _Layers:
    """Where in the layers a file's lines are, block by block: the cycle and the step of the next record."""

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
                self._cycle, behind = fields[0], fields[self._cycle_width :]
                self._step = [b"", *behind] if behind else self._step
            else:
                self._step = fields
        return b"".join([*pieces, self._records(data[done:])])

    def _records(self, lines: bytes) -> bytes:
        step = self._step if len(self._step) > self._kind else [b""] * (self._kind + 1)  # a line that is cut
        front = b",".join((self._cycle, step[1], step[self._kind], b""))
        return _RECORD.sub(lambda _: front, lines)
