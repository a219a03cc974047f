"""``[parameter_sets.NAME]``: a file's set is used like PyBaMM's, and what is in the file decides what runs again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from kilocell.data.errors import CampaignError, JobError
from kilocell.data.parameter_files import content_digest
from kilocell.data.settings import SourceFile, SourceSettings
from kilocell.parquet_store.layout import Store
from kilocell.parquet_store.read import read_parameter_set
from kilocell.parquet_store.write import write_parameter_set
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.cell_plan import resolve
from kilocell.runner.campaign.pybamm_checks import check_with_pybamm, find_set_doubts
from kilocell.runner.plan.job import Job, ScannedSource
from kilocell.runner.plan.plan import plan_jobs

BPX = Path(__file__).parents[2] / "examples" / "bpx" / "lgm50.bpx.json"
CAMPAIGN = """
models = ["SPM"]
[[sources]]
files = ["raw.csv"]
cell_id = "column:cell"
[sources.columns]
test_time_second = "t"
current_ampere = "i"
voltage_volt = "v"
[parameter_sets.mine]
file = "mine.json"
[cells.A]
parameter_sets = ["mine", "Chen2020"]
[[variations]]
name = "slow"
parameter_sets = ["mine"]
parameters = { "Negative particle diffusivity [m2.s-1]" = { scale = 0.5 } }
[fit]
model = "SPM"
parameter_set = "mine+slow"
starts = 1
parameters = { "Positive particle diffusivity [m2.s-1]" = { bounds = [1e-15, 1e-14] } }
"""


def load(folder: Path, text: str = CAMPAIGN, content: bytes | None = None) -> Campaign:
    (folder / "raw.csv").write_text("cell,t,i,v\nA,0,0,3.7\n")
    if content is not None or not (folder / "mine.json").exists():
        (folder / "mine.json").write_bytes(BPX.read_bytes() if content is None else content)
    (folder / "campaign.toml").write_text(text)
    return load_campaign(folder / "campaign.toml")


def problem(folder: Path, text: str = CAMPAIGN, content: bytes | None = None) -> str:
    with pytest.raises(CampaignError) as caught:
        load(folder, text, content)
    return str(caught.value)


def jobs_of(campaign: Campaign) -> dict[str, Job]:
    source = ScannedSource(SourceFile("/raw.csv", 10, "aa" * 32, SourceSettings()), ("A",))
    return {job.label: job for job in plan_jobs(resolve(campaign, "A"), [source], Store(campaign.store))}


def test_a_files_set_is_used_by_name_with_variations_and_fits(tmp_path: Path) -> None:
    campaign = load(tmp_path)
    digest = content_digest(BPX.read_bytes())
    sets = campaign.parameter_sets("A")
    assert [(s.name, s.base, s.file_digest) for s in sets] == [
        ("mine", "mine", digest),
        ("mine+slow", "mine", digest),
        ("Chen2020", "Chen2020", ""),
    ]
    (fit,) = campaign.fits("A")
    assert fit.parameter_set == sets[1]
    jobs = jobs_of(campaign)
    assert {"SPM-mine", "SPM-mine+slow", "SPM-Chen2020", "SPM-mine+slow+fit"} <= set(jobs)
    assert campaign.named_set("mine+slow") == sets[1]
    assert campaign.named_set("mine+fast") is None


def test_a_campaign_with_files_is_loaded_without_pybamm(tmp_path: Path) -> None:
    load(tmp_path)
    code = (
        "import sys; from pathlib import Path; from kilocell.runner.campaign.campaign import load_campaign;"
        f"load_campaign(Path({str(tmp_path / 'campaign.toml')!r}));"
        "sys.exit(' '.join({'pybamm', 'bpx', 'dask'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_content_decides_not_the_place(tmp_path: Path) -> None:
    before = {label: job.digest for label, job in jobs_of(load(tmp_path)).items()}
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "mine.json").rename(tmp_path / "elsewhere" / "set.bpx")
    moved = load(tmp_path, CAMPAIGN.replace("mine.json", "elsewhere/set.bpx"), BPX.read_bytes())
    assert {label: job.digest for label, job in jobs_of(moved).items()} == before
    after = {label: job.digest for label, job in jobs_of(load(tmp_path, content=BPX.read_bytes() + b"\n")).items()}
    changed = {label for label in before if before[label] != after[label]}
    assert changed == {label for label in before if "mine" in label or label.startswith("fit")}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"mine.json"', '"mein.json"', 'parameter_sets.mine.file = "mein.json": there is no such file'),
        ('"mine.json"', '"mein.json"', 'did you mean "mine.json"?'),
        ('"mine.json"', '"raw.csv"', "is not valid JSON"),
        ('"mine.json"', '"."', "cannot be read"),
        ('file = "mine.json"', "", "parameter_sets.mine.file is missing"),
        ("file =", "path =", "parameter_sets.mine.path: unknown key"),
        ("[parameter_sets.mine]", "[parameter_sets.Chen2020]", "PyBaMM has a parameter set Chen2020"),
        ("[parameter_sets.mine]", '[parameter_sets."a+b"]', "must be letters, digits"),
        (
            '["mine", "Chen2020"]',
            '["mein"]',
            'cells.A.parameter_sets#1 = "mein": unknown parameter set (did you mean "mine"?)',
        ),
        ('"mine+slow"', '"mine+slaw"', 'unknown parameter set (did you mean "mine+slow"?)'),
    ],
)
def test_mistakes_are_named_with_place_and_next_step(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in CAMPAIGN
    assert words in problem(tmp_path, CAMPAIGN.replace(old, new))


def test_a_file_that_makes_no_set_stops_the_command(tmp_path: Path) -> None:
    document = json.loads(BPX.read_text(encoding="utf-8"))
    document["Parameterisation"]["Cell"]["Electrode area [m2]"] = None
    campaign = load(tmp_path, content=json.dumps(document).encode())
    with pytest.raises(CampaignError, match=r"parameter_sets\.mine\.file = .*mine\.json.*Electrode area"):
        check_with_pybamm(campaign, resolve(campaign, "A"))


def test_bpx_without_the_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpx", None)  # Python's way of saying that there is no such package
    assert "is BPX, which needs the package bpx: pip install 'kilocell[bpx]'" in problem(tmp_path)


def test_parameters_of_a_files_set_are_checked(tmp_path: Path) -> None:
    campaign = load(tmp_path)
    check_with_pybamm(campaign, resolve(campaign, "A"))
    wrong = load(tmp_path, CAMPAIGN.replace("Negative particle diffusivity", "Negative particle difusivity"))
    with pytest.raises(CampaignError, match=r"mine has no parameter .*did you mean .Negative particle diffusivity"):
        check_with_pybamm(wrong, resolve(wrong, "A"))


def test_a_copy_in_the_store_is_read_only_whole(tmp_path: Path) -> None:
    store, content = Store(tmp_path), BPX.read_bytes()
    digest = content_digest(content)
    with pytest.raises(JobError, match="run again"):
        read_parameter_set(store, digest)
    write_parameter_set(store, digest, content)
    assert read_parameter_set(store, digest) == content
    store.parameter_set(digest).write_bytes(content[:-5])
    with pytest.raises(JobError, match="gone or changed"):
        read_parameter_set(store, digest)
    write_parameter_set(store, digest, content)  # as the next run does
    assert read_parameter_set(store, digest) == content


def test_sets_that_no_cell_can_have_stop_the_command(tmp_path: Path) -> None:
    changed = '"Number of cells connected in series to make a battery" = { value = 4 }'
    text = CAMPAIGN.replace("parameters = { ", f"parameters = {{ {changed}, ", 1)
    campaign = load(tmp_path, text)
    plans = resolve(campaign, "A")
    check_with_pybamm(campaign, plans)
    with pytest.raises(CampaignError, match=r"parameter set mine\+slow: .* is 4, and kilocell simulates one cell"):
        find_set_doubts(campaign, plans)


def test_contradictions_in_a_files_set_are_listed(tmp_path: Path) -> None:
    document = json.loads(BPX.read_text(encoding="utf-8"))
    document["Parameterisation"]["Cell"]["Nominal cell capacity [A.h]"] = 2.6
    campaign = load(tmp_path, content=json.dumps(document).encode())
    plans = resolve(campaign, "A")
    check_with_pybamm(campaign, plans)
    lines = find_set_doubts(campaign, plans)
    assert [line.partition(":")[0] for line in lines] == ["parameter set mine", "parameter set mine+slow"]
    assert all("electrodes hold 5.153 A.h" in line for line in lines)
