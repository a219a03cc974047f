"""Presets of a fit: which parameters belong together, and bounds that make sense; docs/fitting.md gives the reasons.

All bounds are factors of the parameter set's own value (for a function, of the function), so that a preset serves every
set. Diffusivities and exchange-current densities of one chemistry differ by orders of magnitude between sets, so they
are searched widely and on a logarithmic scale; fractions and lithium cannot change by much.
"""

from __future__ import annotations

from typing import Final

from .fit_settings import LITHIUM_INVENTORY, FitParameter

_OHMIC: Final = (FitParameter("Electrolyte conductivity [S.m-1]", 0.1, 5.0, "log", relative=True),)
_KINETIC: Final = (
    FitParameter("Negative electrode exchange-current density [A.m-2]", 0.05, 20.0, "log", relative=True),
    FitParameter("Positive electrode exchange-current density [A.m-2]", 0.05, 20.0, "log", relative=True),
)
_DIFFUSION: Final = (
    FitParameter("Negative particle diffusivity [m2.s-1]", 0.02, 50.0, "log", relative=True),
    FitParameter("Positive particle diffusivity [m2.s-1]", 0.02, 50.0, "log", relative=True),
)
_BALANCE: Final = (
    FitParameter("Negative electrode active material volume fraction", 0.7, 1.15, relative=True),
    FitParameter("Positive electrode active material volume fraction", 0.7, 1.15, relative=True),
    FitParameter(LITHIUM_INVENTORY, 0.7, 1.1),
)

PRESETS: Final[dict[str, tuple[FitParameter, ...]]] = {
    "ohmic": _OHMIC,
    "kinetic": _KINETIC,
    "diffusion": _DIFFUSION,
    "balance": _BALANCE,
    "ageing": _BALANCE + _KINETIC + _DIFFUSION,
}
"""What a fit can name in place of parameters."""
