"""The check from a worker before work is sent, with a worker that is this process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed.protocol.pickle import dumps
from kilocell.data.errors import UsageError
from kilocell.runner.cluster import preflight
from kilocell.runner.cluster.preflight import check_workers

PACKAGES = ("pandas", "dask")


class Here:
    """A client whose worker is this process, after something happened to it."""

    def __init__(self, before: Callable[[], object], answer: Callable[[dict[str, Any]], object] = lambda found: None):
        self.before = before
        self.answer = answer

    def submit(self, check: Callable[..., dict[str, Any]], *arguments: object, **options: object) -> Here:
        self.before()
        self.found = check(*arguments)
        self.answer(self.found)
        return self

    def result(self) -> dict[str, Any]:
        return self.found


def test_the_check_runs_where_kilocell_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "check").write_bytes(dumps(preflight._make_check()))  # type: ignore[no-untyped-call]
    without = "import pathlib, pickle, sys; sys.modules['kilocell'] = None; "
    code = without + "print(pickle.loads(pathlib.Path('check').read_bytes())('none/q', 'a', ('kilo-cell-none',)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "'visible': False" in done.stdout


def test_a_good_worker_leaves_nothing_behind(tmp_path: Path) -> None:
    check_workers(Here(lambda: None), tmp_path, PACKAGES)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_the_worker_does_not_see(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    with pytest.raises(UsageError, match=r"nothing was sent:\n.*does not see .*store: put the store on a file system"):
        check_workers(Here(lambda: shutil.rmtree(folder)), folder, PACKAGES)


def test_a_store_where_the_worker_may_not_write(tmp_path: Path) -> None:
    def take_the_place_of_the_answer() -> None:
        (question,) = tmp_path.iterdir()
        question.with_name(question.name + "-answer").mkdir()

    def tidy(found: dict[str, Any]) -> None:
        for path in tmp_path.glob("*-answer"):
            path.rmdir()

    with pytest.raises(UsageError, match=r"cannot write in .*: File exists; give the user of the worker write perm"):
        check_workers(Here(take_the_place_of_the_answer, tidy), tmp_path, PACKAGES)


def test_an_answer_that_goes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "SEEN_WITHIN_SECOND", 0.0)

    def lose(found: dict[str, Any]) -> None:
        for path in tmp_path.glob("*-answer"):
            path.unlink()

    with pytest.raises(UsageError, match="writes other files than this machine sees"):
        check_workers(Here(lambda: None, lose), tmp_path, PACKAGES)


def test_other_versions(tmp_path: Path) -> None:
    def age(found: dict[str, Any]) -> None:
        found["versions"] |= {"pandas": "1.0.0", "dask": None}
        found["python"] = "3.9.1"

    with pytest.raises(UsageError) as caught:
        check_workers(Here(lambda: None, age), tmp_path, PACKAGES)
    text = str(caught.value)
    assert "it has pandas 1.0.0, this machine " in text
    assert "it has no dask, this machine " in text
    assert "it has python 3.9.1" in text
    assert text.count("start the workers from the same environment") == 3
