"""Selections of parts of a record, such as ``"cycle 2, discharge"``: the only parser of this language.

A selection of cycles alone is a :class:`~kilocell.data.cycle_selection.CycleSelection`, whose texts (``"1-5, last"``)
are part of the language. :mod:`kilocell.data.selected_spans` finds the samples of a selection in a record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from .columns import STEP_TYPES
from .cycle_selection import WHOLE_RECORD, CycleSelection, parse_selection
from .names import find_nearest, format_suggestion, suggest

FORMS: Final = (
    'a selection such as "cycle 2, discharge", "step 14-16", "cycle 1-3, step id 5", "cycle every 50, discharge last" '
    'or "cycle last, discharge, first 600 s"'
)
"""Examples of valid selections, for error messages."""

UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
"""Units of a time window, in s."""

_UNIT_NAMES: Final = {
    "s": "s", "sec": "s", "second": "s", "seconds": "s", "min": "min", "minute": "min", "minutes": "min",
    "h": "h", "hour": "h", "hours": "h",
}  # fmt: skip
_WORDS: Final = ("cycle", "step", "step id", "type", *STEP_TYPES)
_KNOWN: Final = (*_WORDS, "id", "last", "first", "every", "after", "from", "to", "all", *_UNIT_NAMES)
_TIME: Final = r"(\d+(?:\.\d+)?)\s*([a-z]*)"
_WINDOWS: Final = {
    "first": re.compile(rf"first\s+{_TIME}"),
    "last": re.compile(rf"last\s+{_TIME}"),
    "after": re.compile(rf"after\s+{_TIME}"),
    "between": re.compile(rf"(?:from\s+)?{_TIME}\s*(?:-|–|to)\s*{_TIME}"),
}
_UNIT: Final = "|".join(sorted(_UNIT_NAMES, key=len, reverse=True))
_LENGTH: Final = r"\d+(?:\.\d+)?\s*"
_WINDOW_START: Final = (
    rf"(?:first|last|after)\s+{_LENGTH}(?:{_UNIT})\b|(?<!first )(?<!last )(?<!after )(?<!from )(?<!to )"
    rf"(?:from\s+)?{_LENGTH}(?:{_UNIT})?\s*(?:-|–|to)\s*{_LENGTH}(?:{_UNIT})\b"
)
"""Where a window of time begins that follows other words without a comma."""

_TYPES: Final = "|".join(STEP_TYPES)
_HEAD: Final = re.compile(
    rf"((?:steps?\s+)?(?:types?\s+)?({_TYPES})s?|cycles?|steps?\s+ids?|(?:steps?\s+)?types?|steps?)\b\s*(.*)"
)
_ORDINAL: Final = re.compile(r"(first|last|\d{1,7}(?=st|nd|rd|th)|every\s+\d{1,7})(?:st|nd|rd|th)?\s+([a-z].*)")
_ITEM: Final = re.compile(r"last|first|every\s+\d{1,7}|\d{1,7}(?:\s*(?:-|–|to)\s*(?:\d{1,7}|last))?")


@dataclass(frozen=True, slots=True)
class StepKind:
    """Steps of one type, all or some of them.

    Args:
        step_type: one of ``data.columns.STEP_TYPES``.
        numbers: which of them, counted from 1; the default is all.
    """

    step_type: str
    numbers: CycleSelection = WHOLE_RECORD


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A window of time (s) in each selected step, or in each selected cycle.

    Args:
        begin_second: from so long after the step's start.
        end_second: to so long after it; ``None`` = to the step's end.
        last_second: the last part of the step, so long before its end; 0 = begin and end count.
    """

    begin_second: float = 0.0
    end_second: float | None = None
    last_second: float = 0.0

    @property
    def text(self) -> str:
        """The window as text, in s."""
        if self.last_second:
            return f"last {self.last_second:.12g} s"
        if self.end_second is None:
            return f"after {self.begin_second:.12g} s"
        if not self.begin_second:
            return f"first {self.end_second:.12g} s"
        return f"{self.begin_second:.12g}-{self.end_second:.12g} s"


@dataclass(frozen=True, slots=True)
class SelectedPart:
    """One part of a selection: what meets all of its conditions.

    Args:
        cycles: numbers of cycles.
        steps: numbers of steps (``step_count``).
        step_ids: numbers that the schedule of the cycler gives its steps (``step_id``).
        kinds: types of steps; a step of any of them counts. Empty = all types.
        window: of each step, or of each cycle if no step is named; ``None`` = all of it.
    """

    cycles: CycleSelection = WHOLE_RECORD
    steps: CycleSelection = WHOLE_RECORD
    step_ids: CycleSelection = WHOLE_RECORD
    kinds: tuple[StepKind, ...] = ()
    window: TimeWindow | None = None

    @property
    def names_steps(self) -> bool:
        """Whether it selects steps, not whole cycles."""
        return bool(self.kinds) or not (self.steps.whole and self.step_ids.whole)

    @property
    def text(self) -> str:
        """The part as text, which :func:`parse_select` reads."""
        words = []
        for name, numbers in (("cycle", self.cycles), ("step", self.steps), ("step id", self.step_ids)):
            if not numbers.whole:
                words.append(f"{name} {numbers.text}")
        for kind in self.kinds:
            words.append(kind.step_type if kind.numbers.whole else f"{kind.step_type} {kind.numbers.text}")
        if self.window is not None:
            words.append(self.window.text)
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class StepSelection:
    """Parts of a record: steps, or windows of time in steps or cycles."""

    parts: tuple[SelectedPart, ...]

    @property
    def whole(self) -> bool:
        """Whether the whole record is selected, which it never is."""
        return False

    @property
    def text(self) -> str:
        """The selection as text, which :func:`parse_select` reads."""
        return "; ".join(part.text for part in self.parts)


Selection = CycleSelection | StepSelection


class _UnreadableError(ValueError):
    """A condition that cannot be read; ``advice`` says why, or what to write."""

    def __init__(self, piece: str, advice: str = "") -> None:
        super().__init__(piece)
        self.piece = piece
        self.advice = advice


@dataclass(slots=True)
class _Numbers:
    """Numbers of one word, as they are read."""

    ranges: list[tuple[int, int]] = field(default_factory=list)
    every: int = 0
    last: bool = False

    def add(self, item: str) -> None:
        """Add a number, a range, ``first``, ``last`` or ``every N``."""
        read = parse_selection("1" if item == "first" else item)
        self.ranges += read.ranges
        self.every = read.every or self.every
        self.last = read.last or self.last

    @property
    def frozen(self) -> CycleSelection:
        """The numbers as settings have them."""
        return CycleSelection(tuple(sorted(set(self.ranges))), self.every, self.last)


def parse_select(text: str) -> Selection:
    """Parse a selection of parts of a record.

    Args:
        text: conditions, separated by commas: ``cycle``, ``step`` or ``step id`` with numbers, ranges, ``last`` and
            ``every N``; a step type, alone or with such numbers; a window of time such as ``first 600 s``. Conditions
            of one kind add up, those of different kinds narrow. Parts that are separated by semicolons add up.
            A number without a word belongs to the word before; at the start it is a cycle. ``all`` = the whole record.

    Returns:
        A selection of cycles if the text names nothing else.

    Raises:
        ValueError: the text has another form; the message quotes the invalid part and suggests a valid one.
    """
    parts = []
    for part in text.split(";"):
        try:
            parts.append(_parse_part(part))
        except _UnreadableError as error:
            advice = error.advice or _suggest(error.piece)
            raise ValueError(f'must be {FORMS}; "{error.piece}" is not valid{advice}') from None
    if len(parts) == 1 and parts[0] == SelectedPart(cycles=parts[0].cycles):
        return parts[0].cycles
    if any(part == SelectedPart() for part in parts):
        raise ValueError(f'must be {FORMS}; "all" cannot be combined with other parts')
    return StepSelection(tuple(parts))


def _parse_part(text: str) -> SelectedPart:
    """Parse conditions that are separated by commas."""
    pieces = [" ".join(piece.lower().split()) for piece in re.sub(r"\band\b", ",", text, flags=re.I).split(",")]
    if pieces == ["all"]:
        return SelectedPart()
    numbers: dict[str, _Numbers] = {}
    window: TimeWindow | None = None
    word = "cycle"
    for piece in pieces:
        found = _parse_window(piece)
        if found is not None:
            if window is not None:
                raise _UnreadableError(piece, "; one window of time is enough")
            window = found
            continue
        if piece == "all":
            raise _UnreadableError(piece, " here: it cannot be combined with other conditions")
        word, item = _split_piece(piece, word)
        of_word = numbers.setdefault(word, _Numbers())
        if item:
            _add_item(of_word, word, item, piece)
        elif word not in STEP_TYPES:
            raise _UnreadableError(piece, f'; "{word}" needs a number{format_suggestion(f"{word} 1")}')
    kinds = tuple(StepKind(name, numbers[name].frozen) for name in STEP_TYPES if name in numbers)
    of_words = {name: numbers.get(name, _Numbers()).frozen for name in ("cycle", "step", "step id")}
    return SelectedPart(of_words["cycle"], of_words["step"], of_words["step id"], kinds, window)


def _split_piece(piece: str, word: str) -> tuple[str, str]:
    """Split a condition into its word and its number.

    Args:
        piece: the condition, in lower case.
        word: of the condition before; it counts if this one has none.

    Raises:
        ValueError: it is no condition.
    """
    ordinal = _ORDINAL.fullmatch(piece)
    if ordinal is not None and _HEAD.fullmatch(ordinal[2]):
        piece = f"{ordinal[2]} {ordinal[1]}"
    head = _HEAD.fullmatch(piece)
    if head is None:
        if not _ITEM.fullmatch(piece):
            raise _UnreadableError(piece)
        return word, piece
    if head[2]:
        name = head[2]
    else:
        name = re.sub(r"s\b", "", head[1]).replace("step type", "type")
    item = head[3]
    if name == "type":
        raise _UnreadableError(piece, f"; a type is one of {', '.join(STEP_TYPES)}{suggest(item, STEP_TYPES)}")
    if item and not _ITEM.fullmatch(item):
        raise _UnreadableError(piece)
    return name, item


def _add_item(numbers: _Numbers, word: str, item: str, piece: str) -> None:
    if word == "step id" and not item[0].isdigit():
        raise _UnreadableError(piece, "; a step id is a number of the schedule, or a range such as 5-7")
    if word == "step id" and item.endswith("last"):
        raise _UnreadableError(piece, "; a step id is a number of the schedule, or a range such as 5-7")
    try:
        numbers.add(item)
    except ValueError as error:
        reason = str(error).rpartition("; ")[2].replace("is not a cycle number", "is less than 1")
        raise _UnreadableError(piece, f", because {reason}") from None


def _parse_window(piece: str) -> TimeWindow | None:
    """Return the window of time that a condition is; ``None`` = it is another condition."""
    for name, pattern in _WINDOWS.items():
        match = pattern.fullmatch(piece)
        if match is None:
            continue
        if name == "between":
            return _between(match, piece)
        if not match[2] and name != "after":
            unit = format_suggestion(f"{piece} s", f"{piece} min")
            raise _UnreadableError(piece, f"; a window of time needs a unit: s, min or h{unit}")
        if match[2] and match[2] not in _UNIT_NAMES:
            return None  # such as "last 2 discharges"
        seconds = _seconds(match[1], match[2], piece)
        if name == "first":
            return TimeWindow(0.0, seconds)
        if name == "last":
            return TimeWindow(last_second=seconds)
        return TimeWindow(seconds)
    return None


def _between(match: re.Match[str], piece: str) -> TimeWindow | None:
    """Return the window between two times; ``None`` = a range of numbers without a unit."""
    if not match[4] and not match[2]:
        return None
    end = _seconds(match[3], match[4], piece)
    begin = _seconds(match[1], match[2] or match[4], piece)
    if not begin < end:
        raise _UnreadableError(piece, "; the window ends before it begins")
    return TimeWindow(begin, end)


def _seconds(number: str, unit: str, piece: str) -> float:
    if unit not in _UNIT_NAMES:
        raise _UnreadableError(piece, "; a window of time needs a unit: s, min or h")
    seconds = float(number) * UNITS[_UNIT_NAMES[unit]]
    if not seconds and piece.startswith(("first", "last")):
        raise _UnreadableError(piece, "; the window must be longer than 0")
    return seconds


def _suggest(piece: str) -> str:
    """Suggest a valid condition that is like an invalid one, or name the known words."""
    for candidate in (_with_commas(piece), _with_known_words(piece), _with_commas(_with_known_words(piece))):
        try:
            _parse_part(candidate)
        except _UnreadableError:
            continue
        return format_suggestion(candidate)
    return f"; known words are {', '.join(_WORDS)}, first, last, every, after"


def _with_commas(piece: str) -> str:
    """Put a comma before each word that begins a condition and before a window of time, and a dash between numbers."""
    piece = re.sub(r"\s+or\s+", ", ", re.sub(r"(\d)\s*(?:\.\.+|:)\s*(\d)", r"\1-\2", piece))
    piece = re.sub(rf"(?<=[a-z0-9])\s+(?={_WINDOW_START})", ", ", piece)
    return re.sub(rf"(?<=[a-z0-9])\s+(?=(?:cycle|step|{_TYPES})s?\b)(?<!last )(?<!first )(?<!type )", ", ", piece)


def _with_known_words(piece: str) -> str:
    """Replace each unknown word by the nearest known one, if there is one."""
    words = []
    for word in piece.split():
        is_known = word in _KNOWN or word.rstrip("s") in _KNOWN or word[:1].isdigit()
        words.append(word if is_known else (find_nearest(word, _KNOWN) or [word])[0])
    return " ".join(words)
