"""Commands that messages name work as they are pasted: with store and campaign where these are not the default."""

from __future__ import annotations

from pathlib import Path

import pytest
from kilocell.runner.campaign.next_command import NextCommand

STEP = (
    "look at the record: `kilocell findings --cell CELL`, then `kilocell job KEY --foreground`, or `kilocell init RAW`"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "campaign.toml").write_text('name = "a"\n')
    (tmp_path / "other.toml").write_text('name = "b"\nstore = "results/b"\n')
    return tmp_path


def test_the_default_store_is_not_named(here: Path) -> None:
    command = NextCommand(here / "store", here / "campaign.toml")
    assert command.of("failures --each") == "kilocell failures --each"
    assert command.of("retry") == "kilocell retry"
    assert NextCommand(Path("store")).of("retry") == "kilocell retry"


def test_another_store_is_named(here: Path) -> None:
    command = NextCommand(here / "my store", here / "campaign.toml")
    assert command.of("failures") == "kilocell failures --store 'my store'"
    assert command.of("retry") == "kilocell retry --store 'my store'"
    filled = command.fill(STEP, "CELL A", "clean 'CELL A' clean")
    assert "`kilocell findings --cell 'CELL A' --store 'my store'`" in filled
    assert "`kilocell job clean 'CELL A' clean --foreground --store 'my store'`" in filled
    assert "`kilocell init RAW`" in filled


def test_another_campaign_is_named_and_its_own_store_only_where_it_is_not_found(here: Path) -> None:
    command = NextCommand(here / "results" / "b", here / "other.toml")
    assert command.of("retry") == "kilocell retry other.toml"
    assert command.of("job clean A") == "kilocell job clean A --campaign other.toml"
    assert command.of("failures") == "kilocell failures --store results/b"
    (here / "other.toml").write_text("not TOML")
    assert command.of("retry") == "kilocell retry other.toml --store results/b"
