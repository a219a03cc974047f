"""From a command to a run: load the campaign, run its jobs on a cluster, and print the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ...data.errors import UsageError
from ..campaign.default_paths import DEFAULT_CAMPAIGN
from ..run import early
from . import options

if TYPE_CHECKING:
    from ..campaign.campaign import Campaign
    from ..run.failure_policy import FailurePolicy


def load_campaign_with_fits(
    path: Path | None, store: Path | None, stream: TextIO | None = None, verify: bool = False
) -> Campaign:
    """Load a campaign, with the fits that earlier commands added to its store.

    Args:
        stream: where to say at once what is read, before libraries are imported; ``None`` = only on a terminal.
        path: of the campaign file; ``None`` = ./campaign.toml.
        store: folder of the store; ``None`` = the campaign's.
        verify: read all raw files again to find those that changed.

    Raises:
        UsageError: there is no campaign file, or it has errors.
    """
    early.start(stream or sys.stderr, "reading", str(path or DEFAULT_CAMPAIGN), in_files=stream is not None)
    from ..campaign.added_fits import load_added_fits
    from ..campaign.campaign import load_campaign
    from ..run.run_campaign import replace_store

    if path is None and not DEFAULT_CAMPAIGN.is_file():
        raise UsageError(
            f"no {DEFAULT_CAMPAIGN} in this folder; name a campaign file, or write one: kilocell init RAW_FILES"
        )
    campaign, replaced = load_added_fits(replace_store(load_campaign(path or DEFAULT_CAMPAIGN, store), store))
    for name in replaced:
        text = f"fit {name!r} from an earlier command is replaced by the fit of the same name in {campaign.path}"
        print(text, file=early.guard(sys.stderr))
    return replace(campaign, verify=verify)


def run(
    campaign: Campaign,
    command: str,
    cells: tuple[str, ...],
    cluster: dict[str, Any],
    *,
    quiet: bool,
    json_: bool,
    plots: bool,
    fits: Sequence[str] = (),
    failures: FailurePolicy | None = None,
) -> int:
    """Run a campaign's jobs, and print how they ended.

    Args:
        command: ``run``, ``clean``, ``simulate`` or ``fit``: which jobs.
        cells: only these; empty = all.
        cluster: options of the cluster; those that are ``None`` come from the campaign.
        quiet: print only results and errors.
        json_: print JSON instead of tables.
        plots: draw figures at the end.
        fits: only these fits; empty = all.
        failures: which failed jobs run again, and when the run stops; ``None`` = as usual.

    Returns:
        The exit code: 0 all done, 1 some jobs failed.
    """
    from ..run.failure_policy import KEEP_FAILED
    from ..run.run_campaign import run_campaign
    from ..run.run_facts import command_line
    from ..show.status import show_end

    settings = options.cluster_settings(campaign.cluster, cluster)
    out = None if quiet else early.guard(sys.stderr)
    verbose = bool(click.get_current_context().find_root().obj["verbose"])
    policy = failures or KEEP_FAILED
    summary = run_campaign(campaign, settings, command, cells, out, command_line(), verbose, fits, policy)
    show_end(campaign.store, summary, out, json_=json_, plots=plots)
    return summary.exit_code
