"""The folder of what kilocell keeps for a user besides the stores: compiled models, and which checks passed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FOLDER_VARIABLE: Final = "KILOCELL_CACHE"
"""Environment variable that names kilocell's cache folder."""


def cache_folder() -> Path:
    """Return $KILOCELL_CACHE, or else $XDG_CACHE_HOME/kilocell, or else ~/.cache/kilocell; it may not exist yet."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        return Path(folder).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "kilocell"
