"""What commands print about fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from filled_store import fill
from kilocell.data.errors import UsageError
from kilocell.report.filters import Filters
from kilocell.runner.show.answer import Output
from kilocell.runner.show.fits import _print_parameters, short_verdict, show_fits
from kilocell.runner.show.table import table_with_text

WELL = "well determined, within 0.10%"
POOR = "poorly determined, within 14%; moves together with 'x' (+0.95)"
PRECISE = "precise within 1.4%, model error not included; the error is systematic (18 mV against 0.5 mV of noise)"
BLIND = "not identifiable from this record; the 95 % interval includes 0"
UNCONVERGED = f"unconverged: the search ended before its minimum; {WELL} there"
LOW = "at its lower bound: widen the bounds, or fix it"
HIGH = "at its upper bound: widen the bounds, or fix it"


@pytest.mark.parametrize(
    ("verdicts", "done", "agreeing", "expected"),
    [
        ([WELL, WELL], 4, 4, "all well determined"),
        ([POOR, WELL, WELL], 4, 3, "1 poorly determined, 2 well determined"),
        ([LOW, HIGH], 4, 4, "all at a bound"),
        ([WELL], 4, 1, "all well determined, starts disagree"),
        (
            [f"unconverged: the search ended before its minimum; {WELL} there"],
            0,
            0,
            "all not converged, no start converged",
        ),
        (["determined within 3.2%"], 1, 1, "all determined, only one start"),
        ([None], 2, 2, "all without verdict"),
        ([PRECISE, PRECISE], 3, 3, "all precise, model error systematic"),
        ([PRECISE, BLIND, POOR], 3, 3, "1 not identifiable, 1 poorly determined, 1 precise, model error systematic"),
        (["not determined by this record"], 3, 3, "all not identifiable"),  # of an earlier version
    ],
)
def test_a_fit_is_judged_in_a_few_words(verdicts: list[str | None], done: int, agreeing: int, expected: str) -> None:
    fit = {"starts_done": done, "starts_agreeing": agreeing}
    assert short_verdict(fit, [{"verdict": verdict} for verdict in verdicts]) == expected


def test_a_store_without_fits_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, "A")
    show_fits(tmp_path, Filters(), ())
    assert "kilocell fit --preset diffusion" in capsys.readouterr().out
    show_fits(tmp_path, Filters(cells=("A",)), (), output=Output(json_=True))
    assert capsys.readouterr().out == "[]\n"
    with pytest.raises(UsageError, match='no cell "B"'):
        show_fits(tmp_path, Filters(cells=("B",)), ())


def test_a_parameters_verdict_is_below_its_line_and_nothing_is_wider_than_100(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {
        "parameter": "Negative electrode active material volume fraction", "default_value": 0.75, "value": 0.6531,
        "standard_error": 0.005, "unit": "", "is_factor": 0, "lower": 0.525, "upper": 0.8625, "scale": "linear",
        "verdict": PRECISE,
    }  # fmt: skip
    other = row | {
        "parameter": "Positive electrode exchange-current density [A.m-2]", "is_factor": 1, "lower": 6.6e-16,
        "upper": 1.65e-12, "scale": "log", "standard_error": None, "verdict": LOW,
    }  # fmt: skip
    _print_parameters([row, other])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("Neg. active material vol. fraction")
    assert lines[3] == "  precise within 1.4%, model error not included"
    assert lines[5] == "  at its lower bound: widen the bounds, or fix it"
    assert max(len(line) for line in lines) <= 100


def test_a_long_verdict_is_wrapped_and_not_cut() -> None:
    words = "1 at a bound, 1 not identifiable, 2 poorly determined, 3 precise, model error systematic, charge ±3 %"
    row = ("Cell785_0p5C_25degC", "06-lg-diffusion", "SPM", "154.1 → 19.8", "2/2", words)
    lines = table_with_text(("cell", "fit", "model", "RMSE mV", "starts", "verdict"), [row]).splitlines()
    assert max(len(line) for line in lines) <= 105
    assert " ".join(" ".join(line.split()) for line in lines[2:]).endswith("systematic, charge ±3 %")
    assert len(lines) > 3
