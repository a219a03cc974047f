"""What one check found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found.

    Args:
        name: what was checked, in a word or two.
        state: ``ok``; ``note``: it works, but slower or with less; ``problem``: kilocell, or a part of it, cannot run.
        found: what is there.
        advice: what to do about it; "" = nothing.
    """

    name: str
    state: State
    found: str
    advice: str = ""
