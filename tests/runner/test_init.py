from __future__ import annotations

import gzip
import io
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from kilocell.data.errors import CampaignError, UsageError
from kilocell.data.readers import read as readers
from kilocell.data.settings import SourceSettings
from kilocell.jobs.cleaning.guess_cell import CellGuess
from kilocell.runner.campaign.campaign import Campaign, load_campaign
from kilocell.runner.campaign.cell_plan import resolve
from kilocell.runner.campaign.errors import format_comment, format_key, quote
from kilocell.runner.cli import cli
from kilocell.runner.inspect import guess_cells as limits
from kilocell.runner.inspect import new_campaign as init
from kilocell.runner.inspect.new_campaign import write_campaign
from kilocell.runner.inspect.template import GuessedCampaign, GuessedSource, campaign_text

HEADER = "cell_id,test_time_s,current_mA,voltage_V,temperature_C\n"


def rows(cell_id: str, capacity_ah: float, voltage: tuple[float, float]) -> str:
    """A discharge of one hour and half a charge after it, a sample a minute."""
    quoted_id = '"' + cell_id.replace('"', '""') + '"' if '"' in cell_id or "," in cell_id else cell_id
    high, low = voltage
    lines = []
    for minute in range(92):
        ampere = -capacity_ah if minute <= 60 else capacity_ah
        part = min(minute, 120 - minute) / 60
        lines.append(f"{quoted_id},{60 * minute},{1000 * ampere:.1f},{high + (low - high) * part:.4f},25.0\n")
    return "".join(lines)


def init_and_load(folder: Path, *paths: str) -> Campaign:
    write_campaign(paths or (str(folder),), folder / "campaign.toml")
    return load_campaign(folder / "campaign.toml")


def test_long_file_with_cells_of_two_kinds(tmp_path: Path) -> None:
    cells = {"A": 5.0, "B": 5.1, "C": 4.9, 'say "电池", [1]': 1.1}
    text = "".join(rows(name, ah, (4.2, 2.8) if ah > 2 else (3.55, 2.5)) for name, ah in cells.items())
    (tmp_path / "raw.csv").write_text(HEADER + text, encoding="utf-8")
    campaign = init_and_load(tmp_path)
    ((path, settings),) = campaign.sources
    assert (path, settings) == (tmp_path / "raw.csv", readers.guess_settings(path))
    assert set(readers.cell_ids(path, settings)) == set(cells)
    resolve(campaign, cells)
    for name, capacity in cells.items():
        assert campaign.cell(name).nominal_capacity_ah == pytest.approx(capacity, rel=0.06)
        assert campaign.parameter_sets(name)[0].name == ("Chen2020" if capacity > 2 else "Prada2013")
    assert {model.name for model in campaign.models} == {"SPM", "SPMe", "DFN"}


def test_files_that_are_read_alike_share_a_source(tmp_path: Path) -> None:
    for folder, names in {"a": ("1", "2", "3"), "b": ("4",)}.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.csv").write_text(HEADER + rows(name, 5, (4.2, 2.8)))
    (tmp_path / "a" / "other.txt").write_text(
        "t/s\tI/mA\tEwe/V\n" + "\n".join(f"{n}\t-5\t3.7" for n in range(9)) + "\n"
    )
    campaign = init_and_load(tmp_path)
    document = tomllib.loads(campaign.text)
    assert [source["files"] for source in document["sources"]] == [["a/*.csv", "b/4.csv"], ["a/other.txt"]]
    for path, settings in campaign.sources:
        assert settings == readers.guess_settings(path)


def test_glob_is_written_only_where_it_finds_no_other_file(tmp_path: Path) -> None:
    for name in ("Cell[1].csv", "Cell[2].csv", "not mine.csv"):
        (tmp_path / name).write_text(HEADER + rows("x", 5, (4.2, 2.8)))
    campaign = init_and_load(tmp_path, str(tmp_path / "Cell*.csv"))
    assert [path.name for path, _ in campaign.sources] == ["Cell[1].csv", "Cell[2].csv"]


def test_what_cannot_be_read_is_left_out_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text(HEADER + rows("A", 5, (4.2, 2.8)))
    (tmp_path / "empty.csv").touch()
    (tmp_path / "no\nvolts.csv").write_text("a,b\n1,2\n")
    campaign = init_and_load(tmp_path)
    assert [path.name for path, _ in campaign.sources] == ["good.csv"]
    assert "Left out" in campaign.text
    assert "empty.csv" in campaign.text
    assert "no volts.csv" in campaign.text


def test_nothing_to_read_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "campaign.toml"
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder").mkdir()
    for paths, message in (
        ([str(tmp_path / "empty.csv")], "none of these files can be read"),
        ([str(tmp_path / "folder")], "no file that ends in .csv"),
        ([str(tmp_path / "emty.csv")], 'did you mean "empty.csv"'),
        ([], "give the raw files"),
    ):
        with pytest.raises(CampaignError, match=message):
            write_campaign(paths, out)
    assert not out.exists()


def test_existing_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text(HEADER + rows("A", 5, (4.2, 2.8)))
    out = tmp_path / "campaign.toml"
    out.write_text("mine")
    with pytest.raises(CampaignError, match="exists already"):
        write_campaign([str(tmp_path)], out)
    assert out.read_text() == "mine"
    with pytest.raises(UsageError, match="cannot be written"):
        write_campaign([str(tmp_path)], tmp_path / "raw.csv" / "campaign.toml")


def test_what_is_left_out_is_said_on_the_screen_and_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "raw.csv").write_text(HEADER + rows("A", 5, (4.2, 2.8)))
    (tmp_path / "empty.csv").touch()
    (tmp_path / "raw.mpr").write_bytes(b"BIO-LOGIC MODULAR FILE\x1a")
    (tmp_path / "notes.pdf").touch()
    result = CliRunner().invoke(cli, ["init", str(tmp_path), "--out", str(tmp_path / "campaign.toml")])
    assert result.exit_code == 0
    assert f"left out, because they cannot be read:\n  {tmp_path}/empty.csv: the file is empty" in result.stderr
    assert f"  {tmp_path}/raw.mpr: BioLogic .mpr files" in result.stderr
    assert "notes.pdf" not in result.stderr
    assert f"{tmp_path}/empty.csv: the file is empty" in (tmp_path / "campaign.toml").read_text(encoding="utf-8")


MACCOR = "Rec#\tCyc#\tStep\tTestTime\tAmps\tVolts\tState\n" + "".join(
    f"{n}\t0\t1\t  0d 00:{n:02}:00.00\t-0.5\t{3.7 - n / 100:.4f}\tD\n" for n in range(40)
)


def test_maccors_files_that_end_in_a_channel_are_found_and_their_cells_told_apart(tmp_path: Path) -> None:
    names = ("a/B1.001", "a/B2.013", "a/test.001", "a/test.002", "a/test.csv", "b/test.003.gz", "b/test.104.gz")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        content = MACCOR.encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    (tmp_path / "a" / "archive.7z.001").write_bytes(b"7z\xbc\xaf\x27\x1c\0\xff\xfe")
    (tmp_path / "a" / "notes.2023").write_text(MACCOR)
    campaign = init_and_load(tmp_path)
    cells = {path.relative_to(tmp_path).as_posix(): readers.cell_ids(path, how) for path, how in campaign.sources}
    ids = ("B1", "B2", "test.001", "test.002", "test", "test.003.gz", "test.104.gz")
    assert cells == dict(zip(names, ((cell,) for cell in ids), strict=True))
    assert "archive.7z.001" in campaign.text


def test_record_without_charge_gets_no_capacity(tmp_path: Path) -> None:
    rest = "".join(f"A,{60 * n},0.0,3.3,25\n" for n in range(30))
    (tmp_path / "raw.csv").write_text(HEADER + rest)
    campaign = init_and_load(tmp_path)
    assert campaign.cell("A").nominal_capacity_ah is None
    assert "# nominal_capacity_ah" in campaign.text


def test_every_key_that_is_shown_as_a_comment_is_one(tmp_path: Path) -> None:
    """The commented parts, uncommented, are a campaign too."""
    (tmp_path / "raw.csv").write_text(HEADER + rows("CELL_A", 5, (4.2, 2.8)))
    write_campaign([str(tmp_path)], tmp_path / "campaign.toml")
    text = (tmp_path / "campaign.toml").read_text(encoding="utf-8")
    shown, marker, rest = text.partition("# Thresholds of the cleaning rules")
    keys = [line[2:] for line in rest.splitlines() if line.startswith("# ") and ("=" in line or line.startswith("# ["))]
    (tmp_path / "full.toml").write_text("\n".join([shown + marker, *keys]), encoding="utf-8")
    campaign = load_campaign(tmp_path / "full.toml")
    assert campaign.clean == load_campaign(tmp_path / "campaign.toml").clean
    assert [fit.name for fit in campaign.fits("CELL_A")] == ["diffusivities"]
    assert len(campaign.parameter_sets("CELL_A")) == 2
    assert campaign.cluster.partition == "main"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(name=TEXTS, cell_id=TEXTS, reason=TEXTS)
def test_any_text_is_written_as_toml(name: str, cell_id: str, reason: str) -> None:
    guess = CellGuess(1.23, 3.5)
    source = GuessedSource(SourceSettings(cell_id_from=f"column:{name}"), (name, reason), (reason,))
    document = tomllib.loads(
        campaign_text(GuessedCampaign(name, (source,), guess, ((cell_id, guess),), "1 of 1 cells", (reason,)))
    )
    assert document["name"] == name
    assert document["sources"][0]["files"] == [name, reason]
    assert document["sources"][0]["cell_id"] == f"column:{name}"
    assert document["cells"][cell_id]["nominal_capacity_ah"] == 1.23


@given(TEXTS)
def test_keys_texts_and_comments_are_read_back(text: str) -> None:
    assert tomllib.loads(f"{format_comment(text)}\n{format_key(text)} = {quote(text)}\n") == {text: text}


def test_takehome_file(shared_data: Path, tmp_path: Path) -> None:
    campaign = init_and_load(tmp_path, str(shared_data / "takehome_like" / "raw_cycling_data.csv"))
    capacity = {cell: campaign.cell(f"CELL_{cell}").nominal_capacity_ah for cell in "ABCDE"}
    true = {"A": 5.0, "B": 1.1, "C": 1.1, "D": 7.2, "E": 5.0}
    assert capacity == pytest.approx(true, rel=0.1)
    sets = {cell: campaign.parameter_sets(f"CELL_{cell}")[0].name for cell in "ABCDE"}
    assert sets == {**dict.fromkeys("ACDE", "Chen2020"), "B": "Prada2013"}


def test_lgm50_exports(shared_data: Path, tmp_path: Path) -> None:
    campaign = init_and_load(tmp_path, str(shared_data / "lgm50_digatron"))
    assert len(campaign.sources) == 17
    assert {settings for _, settings in campaign.sources} == {
        SourceSettings("digatron", (), "stem", "charge_positive"),
    }
    assert campaign.cell("anything").nominal_capacity_ah == pytest.approx(5.0, rel=0.06)


def test_packed_text_and_parquet_are_found_in_a_folder_and_stores_are_not(tmp_path: Path) -> None:
    text = HEADER + rows("A", 5, (4.2, 2.8))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    pd.read_csv(io.StringIO(text)).to_parquet(tmp_path / "b.parquet")
    store = tmp_path / "store"
    (store / "cleaned").mkdir(parents=True)
    (store / "catalog.sqlite").write_bytes(b"")
    pd.read_csv(io.StringIO(text)).to_parquet(store / "cleaned" / "A.parquet")
    (tmp_path / "notes.gz").write_bytes(gzip.compress(b"no table"))
    campaign = init_and_load(tmp_path)
    assert [(path.name, settings.reader) for path, settings in campaign.sources] == [
        ("a.csv.gz", "csv"),
        ("b.parquet", "parquet"),
    ]


def test_reading_that_takes_a_while_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw.csv").write_text(HEADER + rows("A", 5.0, (4.2, 2.8)))
    told: list[str] = []
    write_campaign([str(tmp_path)], tmp_path / "quick.toml", told.append)
    assert told == []
    monkeypatch.setattr(init, "_SLOW_BYTES", 1000)
    write_campaign([str(tmp_path)], tmp_path / "slow.toml", told.append)
    monkeypatch.setattr(limits, "MOST_BYTES", 2000)
    write_campaign([str(tmp_path)], tmp_path / "slower.toml", told.append)
    assert [text.split(" MB in ")[1] for text in told] == [
        "1 file to guess capacity and parameter set of each cell"
    ] * 2
    assert [text.startswith("reading the first") for text in told] == [False, True]


def test_no_more_is_held_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_HELD", 1000)
    for name in "AB":
        (tmp_path / f"{name}.csv").write_text(HEADER + rows(name, 5.0, (4.2, 2.8)))
    write_campaign([str(tmp_path)], tmp_path / "campaign.toml")
    assert "1 of 1 cell, in 1 of 2 files (a sample of each layout)" in (tmp_path / "campaign.toml").read_text()
