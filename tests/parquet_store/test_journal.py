"""A start that was killed continues where it stopped, and ends with the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from kilocell.data.results.fitting import Evaluation
from kilocell.parquet_store import journal
from kilocell.parquet_store.journal import StartJournal, read_journal
from kilocell.parquet_store.layout import Store
from numpy.typing import NDArray
from scipy.optimize import least_squares

Floats = NDArray[np.float64]


def _noted(number: int, seconds: float = 1.0) -> tuple[Evaluation, Floats, Floats]:
    values = (float(number), 0.1 * number)
    return Evaluation(number, values, 2.0, 1.0, seconds), np.arange(3.0) + number, np.ones((3, 2)) / number


def test_evaluations_come_back_as_they_were(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = StartJournal(store, "CELL", "fit-0", "abc")
    for number in (1, 2):
        first.note(*_noted(number))
    again = StartJournal(store, "CELL", "fit-0", "abc")
    for number in (1, 2):
        evaluation, error, slopes = _noted(number)
        found = again.recall(number, evaluation.values)
        assert found is not None
        np.testing.assert_array_equal(found[0], error)
        np.testing.assert_array_equal(found[1], slopes)
    assert again.recall(1, (1.0, 0.10000001)) is None, "other values are another evaluation"
    assert again.recall(3, (3.0, 0.3)) is None


def test_a_journal_of_another_job_is_begun_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    StartJournal(store, "CELL", "fit-0", "abc").note(*_noted(1))
    other = StartJournal(store, "CELL", "fit-0", "def")
    assert other.recall(1, _noted(1)[0].values) is None
    assert read_journal(store.journal("CELL", "fit-0")) == []


def test_a_line_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.journal("CELL", "fit-0")
    before = StartJournal(store, "CELL", "fit-0", "abc")
    for number in (1, 2):
        before.note(*_noted(number))
    path.write_bytes(path.read_bytes()[:-40])
    after = StartJournal(store, "CELL", "fit-0", "abc")
    assert after.recall(1, _noted(1)[0].values) is not None
    assert after.recall(2, _noted(2)[0].values) is None
    after.note(*_noted(2))
    assert [evaluation.number for evaluation in read_journal(path)] == [1, 2]


def test_half_written_arrays_are_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    before = StartJournal(store, "CELL", "fit-0", "abc")
    before.note(*_noted(1))
    (arrays,) = store.journal("CELL", "fit-0").with_suffix(".partial").iterdir()
    arrays.write_bytes(arrays.read_bytes()[:100])
    assert StartJournal(store, "CELL", "fit-0", "abc").recall(1, _noted(1)[0].values) is None


def test_what_was_cheap_is_only_a_line_and_nothing_is_left_when_done(tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.journal("CELL", "fit-0")
    begun = StartJournal(store, "CELL", "fit-0", "abc")
    begun.note(*_noted(1, seconds=0.5 * journal.WORTH_SECOND))
    assert not path.with_suffix(".partial").exists()
    begun.note(*_noted(2))
    begun.done()
    assert not path.with_suffix(".partial").exists()
    assert len(read_journal(path)) == 2


def test_a_search_that_was_killed_ends_with_the_same_numbers(tmp_path: Path) -> None:
    """Any kill, after any number of evaluations: bitwise the same end, without one evaluation made twice."""

    def search(journal_: StartJournal, kill_after: int) -> tuple[Floats, int]:
        made = 0
        number = 0

        def evaluate(x: Floats) -> tuple[Floats, Floats]:
            nonlocal made, number
            number += 1
            values = tuple(float(v) for v in x)
            found = journal_.recall(number, values)
            if found is not None:
                return found[0], found[1]
            if made == kill_after:
                raise KeyboardInterrupt
            made += 1
            error = np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0], np.sin(x[1])])
            slopes = np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0], [0.0, np.cos(x[1])]])
            journal_.note(Evaluation(number, values, 0.0, 0.0, 1.0), error, slopes)
            return error, slopes

        kept: dict[bytes, tuple[Floats, Floats]] = {}

        def once(x: Floats) -> tuple[Floats, Floats]:
            if x.tobytes() not in kept:
                kept[x.tobytes()] = evaluate(x)
            return kept[x.tobytes()]

        found = least_squares(lambda x: once(x)[0], [-1.2, 1.0], jac=lambda x: once(x)[1])  # pyright: ignore[reportArgumentType]
        return found.x, made

    whole, all_made = search(StartJournal(Store(tmp_path / "whole"), "CELL", "fit-0", "abc"), 10_000)
    store = Store(tmp_path / "killed")
    for kill_after in (1, 3, 0, 4):
        with pytest.raises(KeyboardInterrupt):
            search(StartJournal(store, "CELL", "fit-0", "abc"), kill_after)
    last, made = search(StartJournal(store, "CELL", "fit-0", "abc"), 10_000)
    np.testing.assert_array_equal(last, whole)
    assert made == all_made - 8
