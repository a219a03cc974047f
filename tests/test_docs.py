"""Documented commands exist, links lead somewhere, and numbers and names are those of the code."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from kilocell.data.errors import NOTHING_TO_SIMULATE_CODES
from kilocell.data.failures import FAILURES
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
        if isinstance(command, click.Group):
            command = command.commands.get([*words, ""][1], command.commands.get("show", command))
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


OUR_FOLDERS = ("data", "jobs", "parquet_store", "report", "runner", "sqlite", "tests", "benchmarks", "docs", "examples")
SOURCES = sorted([*ROOT.glob("*.py"), *(path for folder in OUR_FOLDERS for path in (ROOT / folder).rglob("*.py"))])
ROLE = re.compile(r":(?:mod|func|class|meth|data|attr|exc|obj):`~?([\w.]+)`")
FULL_NAME = re.compile(r"(?<!/)\bkilocell(?:\.[A-Za-z_]\w*)+")
FILE_NAME = re.compile(r"`((?:\w+/)*(?!version_N)\w+\.(?:py|sql))\b")
FOLDER_NAME = re.compile(r"`((?:data|jobs|parquet_store|report|runner|sqlite|tests|benchmarks|examples)/[\w./]*)`")


def exists(name: str) -> bool:
    """Tell whether a dotted name is a module, or something in one: a function, a class, its method or field."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if part in getattr(found, "__dataclass_fields__", {}):
                return True
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(("kilocell", *parts))


def exists_in_module(name: str, module: str) -> bool:
    """Tell whether a name that a docstring gives without its module is in this module or in one of its classes."""
    if exists(name) or exists(f"{module}.{name}"):
        return True
    return any(hasattr(each, name) for each in vars(sys.modules[module]).values() if isinstance(each, type))


def test_names_in_docstrings_and_pages_exist() -> None:
    breaches = []
    for path in [*SOURCES, *PAGES, ROOT / "CHANGELOG.md"]:
        text = path.read_text(encoding="utf-8")
        breaches += [f"{name_of(path)}: {name}" for name in FULL_NAME.findall(text) if not exists(name)]
        if path.suffix != ".py" or path.relative_to(ROOT).parts[0] in ("tests", "benchmarks", "docs"):
            continue
        for name in ROLE.findall(text):
            importlib.import_module(module_of(path))
            if not exists_in_module(name, module_of(path)):
                breaches.append(f"{name_of(path)}: {name}")
    assert not breaches, "\n".join(breaches)


def test_files_and_folders_in_docstrings_and_pages_exist() -> None:
    files = [name_of(path) for path in [*SOURCES, *(ROOT / "sqlite").glob("*.sql")]]
    breaches = []
    for path in [*SOURCES, *PAGES, ROOT / "CHANGELOG.md"]:
        text = path.read_text(encoding="utf-8")
        for name in FILE_NAME.findall(text):
            if not any(f"/{file}".endswith(f"/{name}") for file in files):
                breaches.append(f"{name_of(path)}: {name}")
        if path.suffix == ".md":
            breaches += [f"{name_of(path)}: {name}" for name in FOLDER_NAME.findall(text) if not (ROOT / name).exists()]
    assert not breaches, "\n".join(breaches)


COMMANDS = [
    *cli.commands.values(),
    *(c for g in cli.commands.values() if isinstance(g, click.Group) for c in g.commands.values()),
]


@pytest.mark.parametrize("command", COMMANDS, ids=[str(command.name) for command in COMMANDS])
def test_every_option_has_a_help_text(command: click.Command) -> None:
    assert command.get_short_help_str(200)
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name not in ("layout", "out", "store"):
            assert parameter.help, f"{command.name} {parameter.opts}"


def raises_a_reason(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("Error")


def reason_codes(path: Path) -> Iterator[str]:
    """The codes of the errors that a file raises.

    A code is the second argument, by name too; or what a loop gives as ``code``, also from a constant of the file.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        ast.unparse(each.target): each.value
        for each in tree.body
        if isinstance(each, ast.AnnAssign) and each.value is not None
    }
    for node in ast.walk(tree):
        texts: list[ast.AST] = []
        if isinstance(node, ast.Call) and raises_a_reason(node):
            texts = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "code")]
        elif (
            isinstance(node, ast.For)
            and "code" in ast.unparse(node.target)
            and any(map(raises_a_reason, ast.walk(node)))
        ):
            texts = list(ast.walk(node.iter))
            named = [constants[part.id] for part in texts if isinstance(part, ast.Name) and part.id in constants]
            texts += [text for constant in named for text in ast.walk(constant)]
        yield from (text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str))


def test_every_reason_of_a_failure_is_explained() -> None:
    page = (ROOT / "docs" / "replay.md").read_text(encoding="utf-8")
    first_cells = " ".join(re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE))
    explained = set(re.findall(r"`(\w+)`", first_cells))
    raised = {
        code for package in ("jobs", "runner") for path in (ROOT / package).rglob("*.py") for code in reason_codes(path)
    }
    assert {"left_range", "no_current", "earlier_job", "rest_only"} <= raised
    assert raised <= explained, f"docs/replay.md does not say what to do about {sorted(raised - explained)}"
    unknown = raised - FAILURES.keys() - NOTHING_TO_SIMULATE_CODES
    assert not unknown, f"data/failures.py does not say what {sorted(unknown)} means"


def test_failures_that_run_again_are_listed() -> None:
    page = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    listed = page.split("may pass by themselves")[1].split("```")[0]
    assert {code for code, kind in FAILURES.items() if kind.may_pass} == set(re.findall(r"`(\w+)`", listed))


@pytest.fixture
def virtual_records(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the figures of the documents are drawn from."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "figures")
    yield __import__("virtual_records")
    sys.modules.pop("virtual_records")


@pytest.mark.slow
def test_the_models_distances_are_those_of_the_page(virtual_records: Any) -> None:
    """One row of the table in docs/models.md, measured again: 1C, RMSE of SPM, SPMe and DFN against a virtual DFN."""
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| 1 | "))
    written = [float(number) for number in row.strip("| ").split(" | ")[1:]]
    cell = virtual_records.Set()
    record = virtual_records.discharged(1.0, cell)
    found = [virtual_records.rmse_mv(model, record, cell) for model in virtual_records.MODELS]
    assert found == pytest.approx(written, rel=0.02, abs=0.3)
    assert found[2] < 0.5 < found[1] < found[0]
