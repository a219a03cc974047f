"""Numbers and names as text, for messages."""

from __future__ import annotations


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun in singular or plural: ``1 step``, ``2 steps``.

    Args:
        number: how many.
        noun: the noun in singular; its plural must end in s.
    """
    if number == 1:
        return f"{number} {noun}"
    return f"{number} {noun}s"


def format_amount(value: float) -> str:
    """Return a number with four significant digits; negative zero loses its sign.

    Args:
        value: the number, in any unit.
    """
    return f"{value + 0.0:.4g}"


def format_duration(seconds: float) -> str:
    """Format a duration: ``8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60:02d} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60:02d} min"


def format_memory(size_bytes: float) -> str:
    """Format an amount of memory: ``521 MiB``, ``1.4 GiB``."""
    if size_bytes < 1000 * 2**20:
        return f"{size_bytes / 2**20:.0f} MiB"
    return f"{size_bytes / 2**30:.1f} GiB"


def printable_text(text: str) -> str:
    """Write a text on one line of a terminal: control characters and line breaks are escaped, as in ``\\n``.

    Args:
        text: may come from a file, as cell ids do.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
