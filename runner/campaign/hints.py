"""Say what to write instead of names that people use and a campaign does not know: cyclers, chemistries, models."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from ...data.installed import parameter_set_names
from ...data.known_models import models_meant
from ...data.known_sets import find_chemistry
from ...data.names import find_nearest, format_suggestion, quote, suggest, suggest_or_list
from ...data.settings import MODEL_TYPES

READERS: Final = ("auto", "csv", "digatron", "parquet", "xlsx", "neware")
"""The readers that a campaign can name."""

_AUTO: Final = 'write reader = "auto", or leave it out'
_FILES: Final = "the text exports of {0}"
_READER_WORDS: Final = (
    (r"maccor", "Maccor", _FILES),
    (r"arbin|mits|^res$", "Arbin", "the CSV files and workbooks (.xlsx) of {0}; export .res files as one of these"),
    (r"biologic|ec-?lab|^mp[rt]$|galvani", "BioLogic", "the text files (.mpt) of {0}; export .mpr files as text"),
    (r"basytec", "Basytec", _FILES),
    (r"novonix", "Novonix", _FILES),
    (r"landt?$|lanhe|^cc?s$", "Landt", _FILES),
    (r"^pec", "PEC", _FILES),
    (r"nda|btsda|^bts", "Neware", "the CSV, .xlsx, .nda and .ndax files of {0}"),
    (r"excel|xls|spreadsheet|workbook|sheet", "Excel", 'workbooks; the reader for these alone is "xlsx"'),
    (r"^(txt|text|tsv|tab|dat|ascii|table|delimited|semicolon|bdf|gz)$", "text", "text files with any delimiter"),
    (r"^(pq|parq|arrow|pyarrow)$", "Parquet", 'Parquet files; the reader for these alone is "parquet"'),
)
"""What people write as a reader, the name that it means, and what ``auto`` reads of it."""


def describe_reader(name: str) -> str:
    """Say which reader to write instead of a name that is none.

    Args:
        name: such as ``maccor``.
    """
    lower = name.strip().lower()
    known = [reader for reader in READERS if reader == lower]
    if known:
        return f"must be lower case: {quote(known[0])}"
    for pattern, maker, what in _READER_WORDS:
        if re.search(pattern, lower):
            words = what.format(maker)
            return f"there is no reader of this name; {_AUTO}: kilocell recognises {words}"
    near = find_nearest(name, READERS)
    hint = f" (did you mean {quote(near[0])}?)" if near else f"; {_AUTO}: kilocell recognises the files of most cyclers"
    return f"must be one of {', '.join(READERS)}{hint}"


def describe_set(name: str, own: Sequence[str] = ()) -> str:
    """Say which parameter set to write instead of a name that is none; to be appended to an error message.

    Args:
        name: such as ``LFP``.
        own: names of the campaign's own sets.
    """
    known = [*own, *parameter_set_names()]
    same = [each for each in known if each.lower() == name.lower()]
    found = None if same else find_chemistry(name)
    if found is None:
        return suggest_or_list(name, known)
    chemistry, sets = found
    installed = [each for each in sets if each in known]
    if not installed:
        return (
            f"; no set for {chemistry} suits a model of kilocell (kilocell parameters lists all sets; "
            "[parameter_sets.NAME] takes your own file)"
        )
    return f"; sets for {chemistry}: {', '.join(installed)} (kilocell parameters describes them)"


def describe_model(name: str, known: Collection[str] = MODEL_TYPES) -> str:
    """Say which model to write instead of a name that is none; to be appended to an error message.

    Args:
        name: such as ``P2D``.
        known: names of models.
    """
    meant = models_meant(name, known)
    if not meant:
        return suggest(name, known) or f"{suggest_or_list(name, known)}; kilocell models describes them"
    return format_suggestion(*meant)
