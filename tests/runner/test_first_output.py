"""What is printed before the first job, and the reasons of failures in JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from campaigns import SHORT, campaign_text
from click.testing import CliRunner
from kilocell.runner.cli import cli
from kilocell.runner.run import early
from kilocell.runner.show.status import _failed_elsewhere, _with_codes


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_each_line_replaces_the_one_before() -> None:
    stream = Terminal()
    early.start(stream, "reading", "campaign.toml")
    early.say("scanning", "3 raw files")
    print("running    3 jobs", file=early.guard(stream))
    print("failed     one", file=early.guard(stream))
    early.end()
    erased = stream.getvalue().split(early.ERASE)
    assert erased == [
        "", "reading    campaign.toml …", "scanning   3 raw files …", "running    3 jobs\nfailed     one\n"
    ]  # fmt: skip


def test_in_a_file_only_the_first_line_is_printed() -> None:
    stream = io.StringIO()
    early.start(stream, "reading", "campaign.toml")
    early.say("scanning", "3 raw files")
    early.end()
    assert stream.getvalue() == "reading    campaign.toml\n"
    early.start(stream, "reading", "other.toml", in_files=False)
    early.start(None, "reading", "third.toml")
    early.say("scanning", "3 raw files")
    early.end()
    assert stream.getvalue() == "reading    campaign.toml\n"


@pytest.mark.parametrize("command", ["run", "demo", "init"])
def test_the_line_comes_before_anything_is_imported(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is stopped where it begins to import what takes time."""
    said: list[str] = []

    def start(stream: object, word: str, what: str, **_: object) -> None:
        said.append(f"{word} {what}")
        raise KeyboardInterrupt

    monkeypatch.setattr(early, "start", start)
    arguments = {"run": ["run", "c.toml"], "demo": ["demo"], "init": ["init", "a.csv", "b.csv"]}[command]
    CliRunner().invoke(cli, arguments, obj={"verbose": False})
    assert len(said) == 1
    assert said[0].startswith("reading ")


FAILURES = [
    {"kind": "simulate", "cell_id": "A", "label": "SPM-x", "reason": "diverged", "reason_code": "diverged"},
    {"kind": "clean", "cell_id": "B", "label": "clean", "reason": "no column", "reason_code": "unreadable"},
    {"kind": "fit", "cell_id": "A", "label": "d", "reason": "no start", "reason_code": "no_start"},
]


def test_every_failed_job_is_in_the_json_once() -> None:
    rows: list[dict[str, Any]] = [
        {"cell_id": "A", "label": "SPM-x", "status": "failed", "reason": "diverged"},
        {"cell_id": "B", "label": None, "status": "failed", "reason": "no column"},
        {"cell_id": "C", "label": "SPM-x", "status": "done", "reason": None},
    ]
    coded = _with_codes(rows, FAILURES)
    assert [row["reason_code"] for row in coded] == ["diverged", "unreadable", None]
    (fit,) = _failed_elsewhere(rows, FAILURES)
    assert fit == {
        "cell_id": "A", "label": "d", "status": "failed", "reason": "no start", "reason_code": "no_start", "kind": "fit"
    }  # fmt: skip


@pytest.mark.slow
def test_a_quiet_run_with_failures_gives_reasons(tmp_path: Path) -> None:
    from campaigns import QUICK

    (tmp_path / "a.csv").write_text("t,Strom,v\n" + "".join(f"{n},0.5,3.7\n" for n in range(50)))
    (tmp_path / "b.csv").write_text("t,i,v\n" + "".join(f"{n},0.5,{3.7 + n / 1000}\n" for n in range(50)))
    path = tmp_path / "campaign.toml"
    path.write_text(campaign_text(SHORT, models=()), encoding="utf-8")
    done = CliRunner().invoke(cli, ["clean", str(path), "--json", "--quiet", *QUICK], obj={"verbose": False})
    assert done.exit_code == 1
    failed = {row["cell_id"]: row for row in json.loads(done.stdout) if row["status"] == "failed"}
    assert failed["a"]["reason_code"] == "unreadable"
    assert "no column 'i'" in failed["a"]["reason"]
    assert "no column 'i'" in done.stderr
