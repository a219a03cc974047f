"""Numbers in sentences."""

from __future__ import annotations

import pytest
from kilocell.data.text import format_amount, format_count


@pytest.mark.parametrize(("number", "told"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (-1, "-1 steps")])
def test_one_thing_is_not_several(number: int, told: str) -> None:
    assert format_count(number, "step") == told


@pytest.mark.parametrize(
    ("value", "told"), [(-0.0, "0"), (0.0, "0"), (-2.5, "-2.5"), (1 / 3, "0.3333"), (-1e-5, "-1e-05")]
)
def test_zero_has_no_sign(value: float, told: str) -> None:
    assert format_amount(value) == told
