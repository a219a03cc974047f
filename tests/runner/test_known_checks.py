"""What PyBaMM said of sets and models is kept, so that a command that asks again does not import PyBaMM."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kilocell.data.cache_folder import FOLDER_VARIABLE
from kilocell.data.errors import JobError
from kilocell.data.settings import ParameterSetSettings
from kilocell.runner.campaign import known_checks
from kilocell.runner.campaign.known_checks import recall

CHEN = ParameterSetSettings("Chen2020", "Chen2020")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path / known_checks.FOLDER


def fail() -> Any:
    raise JobError("asked again", "test")


def test_an_answer_is_found_once(folder: Path) -> None:
    assert recall(lambda: ["one", [1.5, None]], "names", 1, sets=(CHEN,)) == ["one", [1.5, None]]
    assert recall(fail, "names", 1, sets=(CHEN,)) == ["one", [1.5, None]]
    assert not list(folder.glob("*tmp*"))


@pytest.mark.parametrize("other", [("names", 2, (CHEN,)), ("kinds", 1, (CHEN,)), ("names", 1, ())])
def test_another_question_is_asked(folder: Path, other: tuple[str, int, tuple[ParameterSetSettings, ...]]) -> None:
    recall(lambda: "", "names", 1, sets=(CHEN,))
    question, number, sets = other
    with pytest.raises(JobError):
        recall(fail, question, number, sets=sets)


def test_other_versions_or_code_are_asked_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recall(lambda: "", "names", 1, sets=(CHEN,))
    monkeypatch.setattr(known_checks, "_surroundings", lambda: "other")
    with pytest.raises(JobError):
        recall(fail, "names", 1, sets=(CHEN,))


def test_errors_and_answers_about_other_packages_sets_are_not_kept(folder: Path) -> None:
    with pytest.raises(JobError):
        recall(fail, "names", 1, sets=(CHEN,))
    own = ParameterSetSettings("in_development", "in_development")
    recall(lambda: "", "names", 1, sets=(own,))
    assert not folder.exists()
    recall(lambda: "", "names", 1, sets=(ParameterSetSettings("own", "own", file_digest="ab" * 32),))
    assert len(list(folder.iterdir())) == 1


def test_a_damaged_answer_or_no_folder_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recall(lambda: "first", "names", 1)
    (path,) = folder.iterdir()
    path.write_text("{")
    assert recall(lambda: "second", "names", 1) == "second"
    monkeypatch.setenv(FOLDER_VARIABLE, str(path))  # a file
    assert recall(lambda: "third", "names", 1) == "third"


def test_the_oldest_answers_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_checks, "MOST_ANSWERS", 2)
    for number in range(3):
        before = set(folder.glob("*"))
        recall(str, "names", number)
        for path in set(folder.glob("*")) - before:
            os.utime(path, (number, number))
    assert recall(fail, "names", 1) == recall(fail, "names", 2) == ""
    with pytest.raises(JobError):
        recall(fail, "names", 0)


CHECK = """
import sys
from kilocell.data.settings import ModelSettings, ParameterSetSettings
from kilocell.runner.campaign import pair_checks, pybamm_checks, known_checks
from kilocell.runner.run import set_doubts
chen = ParameterSetSettings("Chen2020", "Chen2020")
circuit = ParameterSetSettings("ECM_Example", "ECM_Example")
print(len(pybamm_checks._known_names(chen)) > 50)
print(dict(pair_checks._find_reasons([(ModelSettings("SPM", "SPM"), circuit)])))
print(known_checks.recall(lambda: pybamm_checks._find_doubts(chen, False), "set values", False, sets=(chen,)))
print(set_doubts._summarise(chen))
pybamm_checks._check_model("campaign.toml", ModelSettings("SPM", "SPM"), ("soc",))
print("pybamm" in sys.modules)
"""


def test_the_second_command_does_not_import_pybamm(folder: Path) -> None:
    said = [
        subprocess.run([sys.executable, "-c", CHECK], check=True, capture_output=True, text=True).stdout.splitlines()
        for _ in range(2)
    ]
    assert said[0][:-1] == said[1][:-1]
    assert (said[0][-1], said[1][-1]) == ("True", "False")
