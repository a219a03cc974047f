"""What ``kilocell prune`` prints: files that no job of the plan needs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from ...data.text import format_count, printable_text
from ..campaign.next_command import NextCommand
from ..run.prune import Pruning, find_pruning, other_campaign, prune

if TYPE_CHECKING:
    from ..campaign.campaign import Campaign

SHOWN: Final = 20
"""Jobs whose files are listed one by one."""


def show_prune(campaign: Campaign, yes: bool, include_gone: bool, json_: bool) -> None:
    """Print, or remove and print, what no job of the campaign's plan needs.

    Args:
        yes: remove it.
        include_gone: also results of cells whose raw file does not exist any more.
        json_: print JSON with every file.
    """
    command = NextCommand(campaign.store, campaign.path)
    other = other_campaign(campaign)
    if other and not yes:
        print(f"{printable_text(other)} used this store last; its results are among these", file=sys.stderr)
    pruning = prune(campaign, include_gone) if yes else find_pruning(campaign, include_gone)
    if json_:
        print(json.dumps(_to_json(campaign, pruning, yes), ensure_ascii=False, indent=1))
        return
    for one in pruning.unneeded[:SHOWN]:
        name = " ".join(filter(None, (one.kind, one.cell_id, one.label)))
        print(printable_text(f"  {name}: {format_count(len(one.paths), 'file')}, {format_bytes(one.size_bytes)}"))
    if len(pruning.unneeded) > SHOWN:
        print(f"  … and those of {len(pruning.unneeded) - SHOWN} more; all: {command.of('prune --json')}")
    _print_kept(pruning, include_gone)
    size = f"{format_count(pruning.files, 'file')}, {format_bytes(pruning.size_bytes)}"
    if not pruning.files:
        print("nothing to remove: the plan needs every file that kilocell wrote")
    elif yes:
        print(f"removed {size}")
    else:
        print(f"{size}, of no job of the plan; to remove them: {command.of('prune --yes')}")


def _print_kept(pruning: Pruning, include_gone: bool) -> None:
    if pruning.gone and not include_gone:
        cells = format_count(len(pruning.gone), "cell")
        print(
            f"kept: results of {cells} whose raw files are gone, so that they cannot be made again; to remove these, "
            "too: --include-gone"
        )
    if pruning.unread:
        print(f"kept: results of {format_count(len(pruning.unread), 'cell')} whose raw files cannot be read now")


def _to_json(campaign: Campaign, pruning: Pruning, yes: bool) -> dict[str, object]:
    return {
        "store": str(campaign.store),
        "removed": yes,
        "files": pruning.files,
        "bytes": pruning.size_bytes,
        "kept_cells": sorted(pruning.kept),
        "jobs": [
            {
                "kind": one.kind,
                "cell_id": one.cell_id,
                "label": one.label,
                "bytes": one.size_bytes,
                "files": [str(path) for path in one.paths],
            }
            for one in pruning.unneeded
        ],
    }


def unneeded_line(pruning: Pruning, command: NextCommand) -> str:
    """Return one line for ``kilocell plan`` on what could be removed; "" = nothing.

    Args:
        command: completes the command that the line names.
    """
    if not pruning.files:
        return ""
    size = f"{format_count(pruning.files, 'file')}, {format_bytes(pruning.size_bytes)}"
    return f"not needed: {size}, of earlier campaigns or killed runs: {command.of('prune')}"


def format_bytes(size: int) -> str:
    """Format a size: ``812 B``, ``3.4 MB``."""
    for unit, bytes_ in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{size} B"
