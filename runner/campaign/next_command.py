"""Commands that a message names, complete: they work as they are pasted into the terminal of the user."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...data.errors import UsageError
from .default_paths import DEFAULT_CAMPAIGN, campaign_store, store_root

_OF_STORE: Final = frozenset({"cycles", "failures", "findings", "plot", "sql", "status"})
"""Commands that take --store and find a store without it."""

_OF_CAMPAIGN: Final = frozenset({"job", "plan", "prune", "retry", "run"})
"""Commands that take a campaign file and --store."""

_QUOTED: Final = re.compile(r"`kilocell ([^`]+)`")


@dataclass(frozen=True, slots=True)
class NextCommand:
    """Completes commands for a store and its campaign, as they are to be typed in the current folder.

    Args:
        root: the store's folder.
        campaign: the campaign file; ``None`` = not known.
    """

    root: Path
    campaign: Path | None = None

    def of(self, words: str) -> str:
        """Return a command: ``failures --each`` → ``kilocell failures --each --store other``.

        Args:
            words: the command and its options, without the program; options of the store and campaign are added.
        """
        return " ".join([program(), words, *self._options(words.split()[0])])

    def fill(self, text: str, cell_id: str = "CELL", key: str = "KEY") -> str:
        """Complete the commands in a text; they are in backquotes, with ``CELL`` or ``KEY`` for a cell or job.

        Args:
            cell_id: the cell.
            key: kind, cell and label of the job, quoted for a shell.
        """

        def complete(match: re.Match[str]) -> str:
            words = re.sub(r"\bCELL\b", lambda _: quoted(cell_id), match[1])
            words = re.sub(r"\bKEY\b", lambda _: key, words)
            return f"`{self.of(words)}`"

        return _QUOTED.sub(complete, text)

    def _options(self, command: str) -> list[str]:
        if command in _OF_STORE:
            return [] if _is_store(self.root, None) else ["--store", shown(self.root)]
        if command not in _OF_CAMPAIGN:
            return []
        options = []
        campaign = self.campaign or DEFAULT_CAMPAIGN
        if campaign.absolute() != DEFAULT_CAMPAIGN.absolute():
            options = [*(["--campaign"] if command == "job" else []), shown(campaign)]
        if not _is_store(self.root, campaign):
            options += ["--store", shown(self.root)]
        return options


def _is_store(root: Path, campaign: Path | None) -> bool:
    """Tell whether a command uses a store without ``--store``.

    Args:
        campaign: the campaign file that it reads; ``None`` = it reads none.
    """
    try:
        found = store_root(None) if campaign is None else campaign_store(campaign)
        return found.resolve() == root.resolve()
    except (OSError, UsageError):
        return False


def program() -> str:
    """Return how to call this kilocell: by its name where the shell finds this very one, else by its path."""
    called = Path(sys.argv[0])
    on_path = shutil.which("kilocell")
    if called.name != "kilocell" or (on_path is not None and Path(on_path).samefile(called)):
        return "kilocell"
    return shown(called)


def shown(path: Path) -> str:
    """Return a path as short as it can be typed in this folder."""
    try:
        return quoted(str(path.absolute().relative_to(Path.cwd())))
    except ValueError:
        return quoted(str(path))


def quoted(text: str) -> str:
    """Return a text as a shell takes it."""
    return shlex.quote(text)
