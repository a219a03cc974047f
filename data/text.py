"""Numbers in sentences."""

from __future__ import annotations


def format_count(number: int, noun: str) -> str:
    """A number of things, the thing in the singular or plural: ``1 step``, ``2 steps``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_amount(value: float) -> str:
    """A number of four digits; zero has no sign, whatever was multiplied to get it."""
    return f"{value + 0.0:.4g}"
