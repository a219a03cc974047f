"""PyBaMM's own parameter sets: kind of cell, electrodes, and names by which people look for them; without PyBaMM."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LITHIUM_ION: Final = "lithium-ion"
"""The kind of a set that plain models of a full cell take without options."""


@dataclass(frozen=True, slots=True)
class KnownSet:
    """What one of PyBaMM's parameter sets describes. A test compares it with PyBaMM.

    Args:
        kind: as ``jobs.parameters.table.find_set_kind`` names it.
        negative, positive: active materials; "" = none, or lithium metal.
        cell: the cell that was measured; "" = none.
    """

    kind: str
    negative: str = ""
    positive: str = ""
    cell: str = ""


KNOWN_SETS: Final[Mapping[str, KnownSet]] = {
    "Ai2020": KnownSet(LITHIUM_ION, "graphite", "LCO", "Enertech"),
    "Bonkile2024": KnownSet("lithium-ion, composite electrode", "graphite and silicon", "NMC811", "LG M50"),
    "Chayambuka2022": KnownSet("sodium-ion", "hard carbon", "NVPF"),
    "Chen2020": KnownSet(LITHIUM_ION, "graphite and SiOx", "NMC811", "LG M50"),
    "Chen2020_composite": KnownSet("lithium-ion, composite electrode", "graphite and silicon", "NMC811", "LG M50"),
    "ECM_Example": KnownSet("equivalent circuit"),
    "Ecker2015": KnownSet(LITHIUM_ION, "graphite", "NCO", "Kokam SLPB 75106100"),
    "Ecker2015_graphite_halfcell": KnownSet("lithium-ion half-cell", "", "graphite", "Kokam SLPB 75106100"),
    "MSMR_Example": KnownSet("lithium-ion, MSMR", "graphite", "NMC622"),
    "Marquis2019": KnownSet(LITHIUM_ION, "graphite", "LCO", "Kokam SLPB78205130H"),
    "Mohtat2020": KnownSet(LITHIUM_ION, "graphite", "NMC532"),
    "NCA_Kim2011": KnownSet(LITHIUM_ION, "graphite", "NCA"),
    "OKane2022": KnownSet(LITHIUM_ION, "graphite and SiOx", "NMC811", "LG M50"),
    "OKane2022_graphite_SiOx_halfcell": KnownSet("lithium-ion half-cell", "", "graphite and SiOx", "LG M50"),
    "ORegan2022": KnownSet(LITHIUM_ION, "graphite and SiOx", "NMC811", "LG M50"),
    "Prada2013": KnownSet(LITHIUM_ION, "graphite", "LFP"),
    "Ramadass2004": KnownSet(LITHIUM_ION, "graphite", "LCO"),
    "Sulzer2019": KnownSet("lead-acid", "lead", "lead dioxide", "BBOXX"),
    "Xu2019": KnownSet("lithium-ion half-cell", "", "NMC", "Kokam SLPB78205130H"),
}

_CHEMISTRIES: Final = (
    ("LFP", r"lfp|lifepo|ironphosphate|a123|^li?fe", ("LFP",)),
    ("NMC", r"nmc|ncm|limn.?ni|linimnco|linicomn", ("NMC",)),
    ("NCA", r"nca|linicoal", ("NCA",)),
    ("LCO", r"lco|licoo|cobaltoxide", ("LCO",)),
    ("NCO", r"nco|linico", ("NCO",)),
    ("lithium-ion with silicon", r"^si(c|o|ox|gr)?$|silicon|siox|graphitesi|sigraphite", ("silicon", "SiOx")),
    ("graphite", r"graphite|^gr$|mcmb|lic6", ("graphite",)),
    ("sodium-ion", r"sodium|^na(ion|cell)?$|sib$|hardcarbon|nvpf", ("NVPF",)),
    ("half-cell", r"halfcell|lithiummetal|limetal", ("half-cell",)),
    ("equivalent circuit", r"ecm|circuit|thevenin|randles", ("equivalent circuit",)),
    ("MSMR", r"msmr", ("MSMR",)),
    ("LG M50", r"m50|^lg", ("LG M50",)),
    ("Kokam", r"kokam|slpb", ("Kokam",)),
    ("Enertech", r"enertech", ("Enertech",)),
)
"""Chemistries and cells: name, what people write (lower case, only letters and digits), and words of ``KNOWN_SETS``."""

_NO_SET: Final = (
    ("LMO", r"lmo|limn2o4|manganeseoxide|spinel"),
    ("LTO", r"lto|titanate|li4ti5"),
    ("LNMO", r"lnmo"),
    ("lithium-sulfur", r"sulfur|sulphur|^lis$"),
    ("lead-acid", r"lead|pb$|^agm"),
    ("NiMH", r"nimh|nicd|hydride"),
)
"""Chemistries of which PyBaMM has no parameter set, or none that a model of kilocell takes."""


def find_chemistry(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the chemistry or cell that a text names, and PyBaMM's sets of it.

    Args:
        text: what somebody wrote instead of a set's name, such as ``LFP``, ``lifepo4`` or ``NMC-811``.

    Returns:
        Name and sets, those of plain full cells first; empty = there is none of this chemistry. ``None`` = the text
        names no chemistry.
    """
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    for name, pattern in _NO_SET:
        if re.search(pattern, plain):
            return name, ()
    for name, pattern, words in _CHEMISTRIES:
        if re.search(pattern, plain):
            found = [known for known, facts in KNOWN_SETS.items() if _has_word(facts, words)]
            return name, tuple(sorted(found, key=lambda known: (KNOWN_SETS[known].kind != LITHIUM_ION, known)))
    return None


def _has_word(facts: KnownSet, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words for text in (facts.kind, facts.negative, facts.positive, facts.cell))
