"""A campaign with its own parameter set: what runs when the file of the set moves, changes or is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from campaigns import QUICK, ask, kilocell, lines, write_campaign

pytestmark = pytest.mark.slow

BPX = Path(__file__).parents[2] / "examples" / "bpx" / "lgm50.bpx.json"
OWN = '[parameter_sets.mine]\nfile = "{file}"\n[cells.one]\nparameter_sets = ["Chen2020", "mine"]\n'
QUESTION = "SELECT parameter_set, rmse_mv, digest FROM simulations ORDER BY parameter_set"


def run(folder: Path, file: str) -> str:
    write_campaign(folder, more=OWN.format(file=file))
    return kilocell("run", *QUICK, "--no-plots", cwd=folder).stdout


def test_a_bpx_file_is_simulated_and_runs_again_when_it_changes_only(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(lines("one"))
    file = tmp_path / "mine.json"
    file.write_bytes(BPX.read_bytes())
    assert "3 jobs done" in run(tmp_path, "mine.json")
    chen, mine = ask(tmp_path, QUESTION)
    assert mine["rmse_mv"] == pytest.approx(chen["rmse_mv"], abs=0.01)
    (stored,) = ask(tmp_path, "SELECT DISTINCT file_digest AS digest FROM parameter_sets WHERE file_digest != ''")
    copy = tmp_path / "store" / "parameter_sets" / f"{stored['digest']}.json"
    assert copy.read_bytes() == BPX.read_bytes()

    file.rename(tmp_path / "moved.json")
    assert "nothing to do: all 3 jobs are up to date" in run(tmp_path, "moved.json")

    changed = json.loads(BPX.read_text(encoding="utf-8"))
    changed["Parameterisation"]["Negative electrode"]["Diffusivity [m2.s-1]"] = 1e-14
    (tmp_path / "moved.json").write_text(json.dumps(changed))
    assert "1 job done, 2 were done before" in run(tmp_path, "moved.json")
    same, other = ask(tmp_path, QUESTION)
    assert same == chen
    assert abs(other["rmse_mv"] - mine["rmse_mv"]) > 0.1
    assert copy.read_bytes() == BPX.read_bytes()  # what earlier results came from is still there
    assert len(list(copy.parent.iterdir())) == 2

    (tmp_path / "moved.json").unlink()
    gone = kilocell("run", *QUICK, cwd=tmp_path, expect=2).stderr
    assert 'parameter_sets.mine.file = "moved.json": there is no such file' in gone
