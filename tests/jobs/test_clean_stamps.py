"""A single wrong stamp is that row's fault alone: the row is placed, and all others keep their times."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from kilocell.data import columns as c
from kilocell.data.rules import flag_bit
from raw_records import Floats, cleaned, cycling, findings, reordered, seen

Stamp = Callable[[Floats, int], float]
WRONG: dict[str, Stamp] = {
    "before the start": lambda time, row: time[0] - 5000.0,
    "in the future": lambda time, row: time[-1] + 1e9,
    "after the end": lambda time, row: time[-1] + 4000.0,
    "in an earlier step": lambda time, row: time[max(row - 130, 0)] - 3.3,
    "a little back": lambda time, row: time[row - 1] - 6.0,
    "ahead": lambda time, row: time[min(row + 40, len(time) - 1)] + 3.3,
}
CLOCKS = [("test", (c.TEST_TIME,)), ("wall", (c.UNIX_TIME,)), ("both", (c.TEST_TIME,)), ("both", (c.UNIX_TIME,)),
          ("both", (c.TEST_TIME, c.UNIX_TIME))]  # fmt: skip


def with_stamps(raw: pd.DataFrame, names: tuple[str, ...], rows: list[int], stamp: Stamp) -> pd.DataFrame:
    for name in names:
        time = raw[name].to_numpy()
        wrong = time.copy()
        for row in rows:
            wrong[row] = stamp(time, row)
        raw = raw.assign(**{name: wrong})
    return raw


def assert_only_placed(raw: pd.DataFrame, wrong: pd.DataFrame, rows: list[int], second: float) -> None:
    result = cleaned(wrong)
    assert list(result.samples[c.SOURCE_ROW]) == list(raw[c.SOURCE_ROW])
    expected = cleaned(raw).samples[c.TEST_TIME].to_numpy()
    time = result.samples[c.TEST_TIME].to_numpy()
    others = np.setdiff1d(np.arange(len(raw)), rows)
    np.testing.assert_allclose((time - expected)[others], (time - expected)[others[0]], rtol=0.0, atol=1e-3)
    assert (np.diff(time) > 0.0).all()
    np.testing.assert_allclose((time - expected)[rows], (time - expected)[others[0]], rtol=0.0, atol=second)
    flagged = np.flatnonzero(result.samples[c.FLAGS].to_numpy() & flag_bit("time_stamp"))
    assert set(flagged) <= set(rows)
    assert seen(result) <= {"time_stamp", "time_restart", "time_resolution", "wall_clock"}


@pytest.mark.parametrize("kind", list(WRONG))
@pytest.mark.parametrize(("clocks", "names"), CLOCKS)
@pytest.mark.parametrize(
    "rows", [[77], [120], [239], [61, 333, 500]], ids=["one", "first of step", "last of step", "three"]
)
def test_a_wrong_stamp_is_placed(kind: str, clocks: str, names: tuple[str, ...], rows: list[int]) -> None:
    raw = cycling(1, clocks=clocks)
    wrong = with_stamps(raw, names, rows, WRONG[kind])
    assert_only_placed(raw, wrong, rows, 10.0)
    told = findings(cleaned(wrong), "time_stamp")
    assert {(found.action, found.rows) for found in told} == {("placed", 1)}
    assert {found.source_row for found in told} == set(rows)


@pytest.mark.parametrize(("clocks", "names"), CLOCKS[:4])
@pytest.mark.parametrize(("row", "kind"), [(0, "in the future"), (0, "ahead"), (779, "before the start"),
                                           (779, "in the future"), (779, "a little back")])  # fmt: skip
def test_a_wrong_first_or_last_stamp(clocks: str, names: tuple[str, ...], row: int, kind: str) -> None:
    raw = cycling(1, clocks=clocks)
    assert_only_placed(raw, with_stamps(raw, names, [row], WRONG[kind]), [row], 10.0)


@pytest.mark.parametrize("kind", ["before the start", "in the future", "in an earlier step", "ahead"])
def test_a_wrong_stamp_in_an_irregular_log(kind: str) -> None:
    keep = np.sort(np.random.default_rng(3).choice(780, 400, replace=False))
    raw = reordered(cycling(1, clocks="test"), keep)
    rows = [90, 222]
    assert_only_placed(raw, with_stamps(raw, (c.TEST_TIME,), rows, WRONG[kind]), rows, 40.0)


@pytest.mark.parametrize("seed", range(4))
def test_swapped_neighbours_in_an_irregular_log_are_sorted_and_not_moved(seed: int) -> None:
    keep = np.sort(np.random.default_rng(seed).choice(780, 400, replace=False))
    raw = reordered(cycling(1, clocks="both"), keep)
    order = np.arange(400)
    for row in (70, 71, 150, 290):
        order[[row, row + 1]] = order[[row + 1, row]]
    result = cleaned(reordered(raw, order))
    np.testing.assert_array_equal(np.diff(result.samples[c.TEST_TIME]), np.diff(raw[c.TEST_TIME]))
    assert "time_stamp" not in seen(result)


def test_a_long_rest_that_is_logged_at_its_end_is_no_wrong_stamp() -> None:
    raw = cycling(1, clocks="test")
    time = raw[c.TEST_TIME].to_numpy().copy()
    time[-1] += 3600.0 * 30.0
    step = raw[c.STEP_ID].to_numpy().copy()
    step[-1] = 6.0
    result = cleaned(raw.assign(**{c.TEST_TIME: time, c.STEP_ID: step}))
    assert "time_stamp" not in seen(result)
    assert result.samples[c.TEST_TIME].iloc[-1] == time[-1]
