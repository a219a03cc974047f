"""Documented commands exist, and links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from kilocell.runner.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(text: str) -> list[list[str]]:
    """Every ``kilocell ...`` line of the page's code blocks, and every inline one."""
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`(kilocell [^`]*)`", text)
    found = [line.split(" #")[0] for line in [*lines, *inline] if line.startswith("kilocell ")]
    return [shlex.split(line)[1:] for line in found]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_documented_commands_exist_with_their_options(page: Path) -> None:
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0].startswith("-"):
            continue
        command = cli.commands.get(words[0])
        assert command is not None, f"{page.name}: kilocell {words[0]}"
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
        for word in words[1:]:
            if word.startswith("--") or re.fullmatch(r"-[a-z]", word):
                assert word.split("=")[0] in known, f"{page.name}: kilocell {' '.join(words)}"


def test_the_readme_names_every_command() -> None:
    named = {words[0] for words in commands((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert set(cli.commands) <= named


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("command", list(cli.commands.values()), ids=list(cli.commands))
def test_every_option_has_a_help_text(command: click.Command) -> None:
    assert command.get_short_help_str(200)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("layout", "out", "store"):
            assert parameter.help, f"{command.name} {parameter.opts}"
