"""A fit added on the command line: made, found again, extended by starts, and made permanent; no job runs twice."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from campaigns import QUICK, ask, kilocell, lines, write_campaign
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_simulation

pytestmark = pytest.mark.slow


def test_a_fit_is_asked_and_later_given_more_starts(tmp_path: Path) -> None:
    for cell_id in ("one", "two"):
        (tmp_path / f"{cell_id}.csv").write_text(lines(cell_id))
    write_campaign(tmp_path)
    first = kilocell("fit", "--cell", "one", "--preset", "diffusion", "--starts", "2", *QUICK, cwd=tmp_path)
    assert "5 jobs done" in first.stdout  # cleaned, two starts, the fit, and simulated with it
    assert "SPM-Chen2020+diffusion" in {row["label"] for row in ask(tmp_path, "SELECT label FROM simulations")}
    permanent = first.stdout.partition("campaign.toml:\n")[2]
    assert 'presets = ["diffusion"]' in permanent

    (fit,) = json.loads(kilocell("fits", "--json", cwd=tmp_path).stdout)
    assert (fit["cell_id"], fit["fit"], fit["starts_done"], len(fit["started"])) == ("one", "diffusion", 2, 2)
    assert len(fit["parameters"]) == 2
    assert fit["rmse_mv"] <= fit["rmse_default_mv"]
    shown = kilocell("fits", "--fit", "diffusion", cwd=tmp_path).stdout
    assert f"{fit['rmse_default_mv']:.1f} → {fit['rmse_mv']:.1f}" in shown
    assert "Negative particle diffusivity [m2.s-1]" in shown

    receipts = {p.name: p.read_bytes() for p in (tmp_path / "store" / "receipts" / "start" / "one").iterdir()}
    more = kilocell("fit", "--preset", "diffusion", "--starts", "3", *QUICK, cwd=tmp_path)
    assert "3 jobs done, 3 were done before" in more.stdout
    folder = tmp_path / "store" / "receipts" / "start" / "one"
    assert {p.name for p in folder.iterdir()} == {*receipts, "diffusion-2.json"}
    assert all((folder / name).read_bytes() == content for name, content in receipts.items())

    the_exported_set_gives_the_very_same_voltage(tmp_path, more.stdout.partition("campaign.toml:\n")[2])


def the_exported_set_gives_the_very_same_voltage(tmp_path: Path, permanent: str) -> None:
    """Move the fit to the campaign file: nothing runs again."""
    written = kilocell("parameters", "export", "Chen2020+diffusion", "--out", "mine.json", cwd=tmp_path).stdout
    assert "mine.lineage.json" in written
    lineage = json.loads((tmp_path / "mine.lineage.json").read_text())
    assert lineage["sha256"] == hashlib.sha256((tmp_path / "mine.json").read_bytes()).hexdigest()
    (*_, kept) = ask(tmp_path, "SELECT fit_digest, parameter_set_digest, version FROM fitted_sets ORDER BY version")
    assert kept == {key: lineage[key] for key in kept}

    own = '[parameter_sets.mine]\nfile = "mine.json"\n[cells.one]\nparameter_sets = ["Chen2020", "mine"]\n'
    write_campaign(tmp_path, more=own + permanent)
    (tmp_path / "store" / "fits.toml").unlink()
    assert "2 jobs done" in kilocell("run", "--cell", "one", "--no-plots", *QUICK, cwd=tmp_path).stdout
    store = Store(tmp_path / "store")
    fitted, mine = (
        read_simulation(store, "one", f"SPM-{name}")["simulated_voltage_volt"]
        for name in ("Chen2020+diffusion", "mine")
    )
    assert np.max(np.abs(fitted - mine)) < 1e-9
