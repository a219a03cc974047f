"""File names are safe for any cell_id, and distinct for distinct ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kilocell.parquet_store.layout import Store, safe_name

WINDOWS_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}

HOSTILE = [
    "",
    ".",
    "..",
    "../../x",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "CON",
    "nul.txt",
    "<script>alert(1)</script>",
    "x" * 300,
    "电池一号",
    "电池二号",
    "cell.",
    "cell ",
    " cell",
    "-rf",
    "a\0b",
    "a\nb",
    "\ud800",
    "🔋",
    "é",
    "e\u0301",
    "a:b",
    "a*?",
    "CELL_A-0123456789",
    "~",
    "$HOME",
]
ORDINARY = ["CELL_A", "Cell785_0p5C_25degC", "SPMe-Chen2020", "b3c45", "2017-05-12_6C-80per", "LG.M50+2"]

texts = st.one_of(
    st.text(max_size=100),
    st.text(alphabet="ab/.-_ 0", max_size=6),
    st.from_regex(r"[a-c/]{1,3}-[0-9a-f]{10}", fullmatch=True),
    st.sampled_from(HOSTILE + ORDINARY),
)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_id_is_its_own_name(text: str) -> None:
    assert safe_name(text) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_id_gets_another_name(text: str) -> None:
    assert safe_name(text) != text


@given(texts)
@example("x" * 65)
@example("CON.txt")
def test_every_name_is_safe_on_every_system(text: str) -> None:
    name = safe_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", name, re.ASCII)
    assert len(name) <= 64
    assert not name.endswith(".")
    assert name.split(".")[0].lower() not in WINDOWS_RESERVED


@given(texts, texts)
@example("a/b", "a\\b")
@example("x" * 300, "x" * 301)
@example("é", "e\u0301")
def test_distinct_texts_have_distinct_names(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) == (one == other)


@given(texts)
def test_a_text_that_looks_like_a_made_name_cannot_take_its_place(text: str) -> None:
    name = safe_name(text)
    if name != text:
        assert safe_name(name) != name


def test_all_hostile_ids_are_kept_apart() -> None:
    assert len({safe_name(text) for text in HOSTILE}) == len(HOSTILE)


@given(texts, texts)
@example("../../x", "../../../y")
def test_no_path_leaves_its_folder(cell_id: str, label: str) -> None:
    store = Store(Path("/stores/one"))
    paths = {
        store.cleaned(cell_id): 1,
        store.quarantine(cell_id): 1,
        store.simulation(cell_id, label): 2,
        store.receipt("simulate", cell_id, label): 3,
        store.log("simulate", cell_id, label): 3,
    }
    for path, levels in paths.items():
        parts = Path(store.relative(path)).parts
        assert ".." not in parts
        assert len(parts) == levels + 1
        assert store.root / store.relative(path) == path


@pytest.mark.parametrize("text", HOSTILE)
def test_the_file_system_takes_every_name(tmp_path: Path, text: str) -> None:
    path = Store(tmp_path).simulation(text, text)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert [p.name for p in (tmp_path / "simulations").iterdir()] == [safe_name(text)]


def test_raw_rows_of_two_sources_do_not_meet() -> None:
    store = Store(Path("/s"))
    assert store.raw("a" * 64, "CELL") != store.raw("b" * 64, "CELL")
    assert store.raw("a" * 64, "a/b") != store.raw("a" * 64, "a-b")
