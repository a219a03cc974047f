"""Whether a result still counts: the values of the catalog's column ``standing``."""

from __future__ import annotations

from typing import Final

CURRENT: Final = "current"
"""The last run's campaign and inputs have this result."""

OUT_OF_DATE: Final = "out of date: "
"""Beginning of the standing of what the next run does again; the reason follows."""

EARLIER: Final = "of an earlier campaign"
"""The last run's campaign has no such cell, model, parameter set or fit any more."""

CHANGED: Final = "settings or input changed"
"""The usual reason why a result is out of date."""
