"""Names by which people know models, and the models of PyBaMM that they mean."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from .errors import UsageError
from .names import check_known, format_suggestion, quote

_MODEL_WORDS: Final = (
    (r"p2d|pseudo|doyle|fuller|newman(?!.?t)|^dfn|full.?order|porous|2d", ("DFN",)),
    (r"newman.?t|tobias", ("NewmanTobias",)),
    (r"spm.?e|electrolyte|espm|extended", ("SPMe",)),
    (r"many|mpm|size.?distr|multi.?particle", ("MPM",)),
    (r"single|particle", ("SPM", "SPMe")),
    (r"ecm|circuit|thevenin|thévenin|randles|^[0-9]?rc|rc$|rint", ("Thevenin",)),
    (r"msmr|multi.?species|multi.?reaction", ("MSMR",)),
    (r"yang|plating|pore.?clog", ("Yang2017",)),
)
"""What people write as a model, in lower case, and the models that it means."""


def models_meant(name: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the known models that a name means; empty = none.

    Args:
        name: such as ``P2D``, or a model in other letters: ``spme``.
        known: names of models.
    """
    lower = name.strip().lower()
    same = tuple(each for each in known if each.lower() == lower)
    meant = same or next((models for pattern, models in _MODEL_WORDS if re.search(pattern, lower)), ())
    return tuple(each for each in meant if each in known)


def check_models(what: str, given: Sequence[str], known: Collection[str]) -> None:
    """Refuse models that are not known, as ``names.check_known`` does; ``P2D`` is answered with the DFN.

    Args:
        what: the beginning of the message, such as ``there is no simulation with the model``.
        given: the names that the user wrote.
        known: the models that exist.

    Raises:
        UsageError: a name is unknown.
    """
    for name in given:
        meant = () if name in known else models_meant(name, known)
        if meant:
            raise UsageError(f"{what} {quote(name)}{format_suggestion(*meant)}")
    check_known(what, given, known)
