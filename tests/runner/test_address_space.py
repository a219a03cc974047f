"""A limit of the address space is noticed before workers start."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from campaigns import lines
from kilocell.data.errors import UsageError
from kilocell.data.settings import ClusterSettings
from kilocell.runner.cluster.address_space import check_address_space
from kilocell.runner.run.run_campaign import run_campaign
from test_purged_files import write_campaign


def limit(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))


def test_a_run_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "one.csv").write_text(lines("ONE"))
    campaign = write_campaign(tmp_path)
    limit(monkeypatch, 1_500_000_000, resource.RLIM_INFINITY)
    with pytest.raises(UsageError, match=r"limited to 1\.5 GB \(ulimit -v\).*ulimit -S -v unlimited"):
        run_campaign(campaign, ClusterSettings(), "clean", (), None, ())
    assert not campaign.store.exists()


def test_a_hard_limit_names_who_can_raise_it(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 2_000_000_000, 2_000_000_000)
    with pytest.raises(UsageError, match="ask the administrators"):
        check_address_space()


def test_a_sufficient_limit_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft in (8_000_000_000, resource.RLIM_INFINITY):
        limit(monkeypatch, soft, resource.RLIM_INFINITY)
        check_address_space()
