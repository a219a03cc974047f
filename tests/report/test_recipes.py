"""Every recipe of docs/recipes.md and the notebook run on a store, and what they find is not empty."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import kilocell
import pandas as pd
import pytest
from asked_store import CELLS, make_store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
NOTEBOOK = ROOT / "examples" / "ask_a_store.ipynb"
METADATA = ROOT / "examples" / "datasette.yaml"
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store of the examples."""
    folder = tmp_path_factory.mktemp("recipes")
    make_store(folder / "kilocell-demo")
    return folder


def blocks(language: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def answers(block: str, names: dict[str, Any]) -> Iterator[Any]:
    """Run a block statement by statement, and yield the value of each expression, as a notebook shows it."""
    for statement in ast.parse(block).body:
        if isinstance(statement, ast.Expr):
            yield eval(compile(ast.Expression(statement.value), "recipe", "eval"), names)
        else:
            exec(compile(ast.Module([statement], []), "recipe", "exec"), names)


def size(answer: Any) -> int:
    """Return the number of rows of whatever a recipe answers with."""
    if isinstance(answer, duckdb.DuckDBPyRelation):
        return len(answer.fetchall())
    if isinstance(answer, int):
        return answer
    return len(answer)


def test_every_python_recipe_has_an_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "recipe"}
    for section in SECTIONS:
        for block in blocks("python", section):
            for answer in answers(block, names):
                if answer is not None:
                    assert size(answer) > 0, block
    assert names["results"].attrs["units"]["rmse_mv"] == "mV"
    assert set(names["errors"]["cell_id"]) == set(CELLS)


def test_the_recipes_find_what_the_catalog_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The RMSE that DuckDB and polars calculate from the samples is that of the catalog."""
    monkeypatch.chdir(folder)
    text = "\n".join(blocks("python"))
    names: dict[str, Any] = {}
    found = [answer for answer in answers(text, names) if type(answer).__name__ == "DataFrame"]
    by_polars = next(answer for answer in found if not isinstance(answer, pd.DataFrame) and "rmse_mv" in answer.columns)
    store = kilocell.open_store("kilocell-demo")
    expected = store.results("CELL_B").query("model == 'DFN'")["rmse_mv"].item()
    row = next(row for row in by_polars.iter_rows(named=True) if (row["cell_id"], row["model"]) == ("CELL_B", "DFN"))
    assert row["rmse_mv"] == pytest.approx(expected)
    lazy = store.dataset("simulations", "CELL_B", model="DFN")
    (squared,) = duckdb.from_arrow(lazy).aggregate("avg(voltage_error_volt ** 2)").fetchall()[0]
    assert 1000 * squared**0.5 == pytest.approx(expected)


@pytest.mark.parametrize("statement", blocks("sql"), ids=range(len(blocks("sql"))))
def test_every_sql_recipe_has_an_answer(folder: Path, statement: str) -> None:
    store = kilocell.open_store(folder / "kilocell-demo")
    assert len(store.sql(statement)) > 0


def test_the_views_that_the_page_names_exist() -> None:
    section = next(section for section in SECTIONS if section.startswith("DB Browser"))
    from kilocell.sqlite.describe import describe_schema

    known = {table.name for table in describe_schema()}
    named = set(re.findall(r"`(\w+)`", section.split("Choose a view")[1].split("Or paste")[0]))
    assert named
    assert named <= known


def test_datasette_serves_the_catalog_and_the_four_questions(folder: Path) -> None:
    datasette_app = pytest.importorskip("datasette.app")
    yaml = pytest.importorskip("yaml")
    command = next(line for block in blocks("sh") for line in block.splitlines() if line.startswith("datasette "))
    words = shlex.split(command)
    assert words[:3] == ["datasette", "serve", "kilocell-demo/catalog.sqlite"]
    assert ROOT / words[words.index("--metadata") + 1] == METADATA
    metadata = yaml.safe_load(METADATA.read_text(encoding="utf-8"))
    server = datasette_app.Datasette([str(folder / words[2])], metadata=metadata)

    async def ask() -> dict[str, Any]:
        await server.invoke_startup()
        given = {"_shape": "array", "cell_id": "CELL_A", "cycle_count": "2", "model": "SPMe"}
        found = {}
        for name in metadata["databases"]["catalog"]["queries"]:
            response = await server.client.get(f"/catalog/{name}.json", params=given)
            assert response.status_code == 200, (name, response.text)
            found[name] = response.json()
        pages = {
            "/catalog": {},
            "/catalog/results": {"_facet": "model"},
            "/catalog/cycle_overview": {"cell_id": "CELL_A"},
            "/catalog/cycles_of_a_cell": {"cell_id": "CELL_A"},
        }
        for path, query in pages.items():
            assert (await server.client.get(path, params=query)).status_code == 200, path
        return found

    found = asyncio.run(ask())
    server.executor.shutdown()
    assert len(found) == 4
    assert all(found.values())
    assert [row["cycle_count"] for row in found["cycles_of_a_cell"]] == [1, 2, 3]
    assert len(found["simulation_against_experiment"]) == 10
    assert {row["cell_id"] for row in found["curves_of_a_model"]} == set(CELLS)


def test_the_notebook_is_small_and_has_no_outputs() -> None:
    assert NOTEBOOK.stat().st_size < 20_000
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"]] == []


@pytest.mark.slow
def test_the_notebook_runs(folder: Path, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in shown if output.output_type == "error" or output.get("name") == "stderr"] == []
    kinds = {kind for output in shown for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= kinds
    assert sum("text/html" in output.get("data", {}) for output in shown) >= 4
