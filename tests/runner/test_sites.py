"""Clusters of the user's own clusters.toml, and the options of a cluster on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from kilocell.data.errors import UsageError
from kilocell.data.settings import ClusterSettings
from kilocell.runner.campaign import fields
from kilocell.runner.campaign.schema import ClusterTable
from kilocell.runner.campaign.sites import cluster_values
from kilocell.runner.commands.options import _job_counts, cluster_settings

SITES = """
[helix]
partition = "cpu"
account = "ab12"
jobs = "2..20"
cores = 8
memory = "none"
job_extra = ["--mem-per-cpu=2G"]
prologue = ["module load python"]
[desk]
kind = "local"
workers = 3
"""


@pytest.fixture
def sites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "kilocell" / "clusters.toml"
    path.parent.mkdir()
    path.write_text(SITES)
    return path


def chosen(**given: Any) -> ClusterSettings:
    return cluster_settings(ClusterSettings(walltime="05:00:00", workers=2), given)


@pytest.mark.usefixtures("sites")
def test_a_site_overrides_the_campaign_and_options_override_the_site() -> None:
    settings = chosen(cluster="helix", cores=4)
    assert (settings.kind, settings.partition, settings.account) == ("slurm", "cpu", "ab12")
    assert (settings.jobs, settings.least_jobs, settings.cores, settings.memory) == (20, 2, 4, "none")
    assert (settings.job_extra, settings.prologue) == (("--mem-per-cpu=2G",), ("module load python",))
    assert settings.walltime == "05:00:00"  # the site says nothing of it
    assert chosen(cluster="helix", jobs=(5, None)).least_jobs is None
    assert (chosen(cluster="desk").kind, chosen(cluster="desk").workers) == ("local", 3)


def test_wrong_sites_are_said_with_the_nearest_name(sites: Path) -> None:
    with pytest.raises(UsageError, match=r'unknown cluster "helxi": .*has no table.*did you mean "helix"'):
        chosen(cluster="helxi")
    sites.write_text('[helix]\npartitoin = "cpu"\n')
    with pytest.raises(UsageError, match=r'clusters.toml: \[helix\] partitoin: unknown key.*"partition"'):
        chosen(cluster="helix")
    sites.write_text('[helix]\nmemory = "lots"\n')
    with pytest.raises(UsageError, match=r"memory = .lots.: must be a size such as .4GiB., or .none."):
        chosen(cluster="helix")
    sites.write_text("helix = 3\n")
    with pytest.raises(UsageError, match=r"clusters.toml"):
        chosen(cluster="helix")
    sites.write_text("[helix\n")
    with pytest.raises(UsageError, match=r"clusters.toml"):
        chosen(cluster="helix")
    sites.unlink()
    with pytest.raises(UsageError, match=r"unknown cluster 'slrum': .*did you mean \"slurm\".*clusters.toml"):
        chosen(cluster="slrum")


@pytest.mark.parametrize(("text", "counts"), [("20", (20, None)), (3, (3, None)), ("2..20", (20, 2)), ("4..4", (4, 4))])
def test_numbers_of_jobs(text: str | int, counts: tuple[int, int | None]) -> None:
    assert fields.job_counts(text) == counts
    values = cluster_values(ClusterTable(jobs=text), ClusterTable.model_fields)
    assert (ClusterSettings(**values).jobs, ClusterSettings(**values).least_jobs) == counts


@pytest.mark.parametrize("text", ["0", "-1", "0..3", "20..2", "2-20", "2..", "many"])
def test_no_numbers_of_jobs(text: str) -> None:
    with pytest.raises(click.BadParameter, match="must be a"):
        _job_counts(None, None, text)  # type: ignore[arg-type]
