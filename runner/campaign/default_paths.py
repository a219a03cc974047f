"""The campaign file and store that a command uses when the user names none."""

from __future__ import annotations

from pathlib import Path

from ...data.errors import UsageError

DEFAULT_CAMPAIGN = Path("campaign.toml")
DEFAULT_STORE = Path("store")
DEMO_STORE = Path("kilocell-demo")


def store_root(store: Path | None) -> Path:
    """Return the folder of the store: as given, else that of ./campaign.toml, else ./store, else the demo's.

    Args:
        store: what the user gave as --store; ``None`` = nothing.

    Raises:
        UsageError: ./campaign.toml cannot be read as TOML.
    """
    if store is not None:
        return store
    if DEFAULT_CAMPAIGN.is_file():
        return campaign_store(DEFAULT_CAMPAIGN)
    if not DEFAULT_STORE.is_dir() and DEMO_STORE.is_dir():
        return DEMO_STORE
    return DEFAULT_STORE


def campaign_store(path: Path) -> Path:
    """Return the folder of the store that a campaign file names, without checking the rest of the file.

    Raises:
        UsageError: the file cannot be read as TOML.
    """
    import tomllib

    try:
        text = path.read_text(encoding="utf-8-sig")
        return path.parent / Path(str(tomllib.loads(text).get("store", DEFAULT_STORE))).expanduser()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
