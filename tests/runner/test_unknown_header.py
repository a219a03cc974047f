"""``kilocell init`` for tables whose columns have unknown names: a campaign with the columns to fill in."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from kilocell.data.errors import CampaignError
from kilocell.data.readers.read import read_raw
from kilocell.runner.campaign.campaign import load_campaign
from kilocell.runner.cli import cli
from kilocell.runner.inspect.new_campaign import write_campaign


def german(folder: Path, name: str = "messung.csv") -> Path:
    lines = [f"{60 * row};3,{600 + row};-0,5;x" for row in range(40)]
    path = folder / name
    path.write_text("\n".join(["Zeit;Spg;Strm;Bem", *lines]) + "\n", encoding="utf-8")
    return path


def test_the_campaign_lists_the_columns_and_the_keys_to_fill_in(tmp_path: Path) -> None:
    german(tmp_path)
    out = tmp_path / "campaign.toml"
    result = CliRunner().invoke(cli, ["init", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 1
    assert "fill in these columns" in result.stderr
    assert "test_time_second, current_ampere, voltage_volt" in result.stderr
    assert "Zeit, Spg, Strm, Bem" in result.stderr
    text = out.read_text(encoding="utf-8")
    assert '#   "Spg": 3,600, 3,601, 3,602' in text
    with pytest.raises(CampaignError) as error:
        load_campaign(out)
    for key in ("test_time_second", "current_ampere", "voltage_volt"):
        assert f"sources#1.columns.{key} is not filled in" in str(error.value)


def test_the_campaign_runs_when_the_columns_are_filled_in(tmp_path: Path) -> None:
    path = german(tmp_path)
    out = tmp_path / "campaign.toml"
    write_campaign([str(path)], out)
    text = out.read_text(encoding="utf-8")
    for key, column in (("test_time_second", "Zeit"), ("current_ampere", "Strm"), ("voltage_volt", "Spg")):
        text = text.replace(f'{key} = ""', f'{key} = "{column}"')
    out.write_text(text, encoding="utf-8")
    ((file, how),) = load_campaign(out).sources
    raw = read_raw(file, how)
    assert raw["voltage_volt"].tolist()[:2] == [3.6, 3.601]
    assert set(raw["current_ampere"]) == {-0.5}


def test_beside_files_that_can_be_read_it_is_a_comment(tmp_path: Path) -> None:
    german(tmp_path)
    rows = "".join(f"{60 * row},{3.7 - row / 100:.2f},-1.0\n" for row in range(40))
    (tmp_path / "good.csv").write_text("time_s,voltage_V,current_A\n" + rows)
    new = write_campaign([str(tmp_path)], tmp_path / "campaign.toml")
    assert [line for line in new.left_out if "messung.csv" in line]
    assert not new.unfilled
    campaign = load_campaign(tmp_path / "campaign.toml")
    assert [path.name for path, _ in campaign.sources] == ["good.csv"]
    assert '# voltage_volt = ""' in campaign.text


def test_a_table_without_a_header_gets_numbers_as_names(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("".join(f"{60 * row} {3.7 - row / 100:.2f} -1.0\n" for row in range(40)))
    new = write_campaign([str(tmp_path)], tmp_path / "campaign.toml")
    assert "#1, #2, #3" in new.unfilled[0]


def test_a_parquet_file_with_known_and_unknown_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"voltage_V": [3.7, 3.6, 3.5], "u2": [0.0, 60.0, 120.0], "x": [1.0, 1.0, 1.0]})
    frame.to_parquet(tmp_path / "a.parquet")
    new = write_campaign([str(tmp_path)], tmp_path / "campaign.toml")
    assert new.unfilled[0].startswith("sources#1.columns: test_time_second, current_ampere;")
    assert 'voltage_volt = { column = "voltage_V", unit = "V" }' in (tmp_path / "campaign.toml").read_text()


def test_wide_matrices_of_numbers_are_no_records(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text("".join(",".join(f"{row + k}" for k in range(99)) + "\n" for row in range(9)))
    with pytest.raises(CampaignError, match="none of these files can be read"):
        write_campaign([str(tmp_path)], tmp_path / "campaign.toml")
