"""Kinds of verdicts on fitted parameters, recognised by their first words, in results of this and earlier versions."""

from __future__ import annotations

from typing import Final, Literal

VerdictKind = Literal[
    "well determined",
    "precise",
    "determined",
    "poorly determined",
    "not identifiable",
    "at a bound",
    "not converged",
    "without verdict",
]

KINDS_BY_WORD: Final[dict[str, VerdictKind]] = {
    "well": "well determined",
    "precise": "precise",
    "determined": "determined",
    "poorly": "poorly determined",
    "not": "not identifiable",
    "at": "at a bound",
    "unconverged": "not converged",
}
"""First word of a verdict to its kind, from good to bad; ``precise`` = within a narrow interval, but the model's error
is systematic, and the interval does not include it."""

USABLE_KINDS: Final[tuple[VerdictKind, ...]] = ("well determined", "precise", "determined")
"""Kinds of values with an interval of at most 10 %."""

MODEL_ERROR_WORDS: Final = "model error systematic"
"""What a short verdict adds to precise values."""


def verdict_kind(verdict: str | None) -> VerdictKind:
    """Return the kind of a parameter's verdict.

    Args:
        verdict: of the catalog's ``fit_parameters``; ``None`` = there is none.
    """
    first_word = (verdict or "").split(" ")[0].rstrip(",;:")
    return KINDS_BY_WORD.get(first_word, "without verdict")
