"""One colour and dash per model and one per parameter set, in every figure of a store."""

from __future__ import annotations

from kilocell.report.styles import MARKERS, make_styles


def test_a_known_model_has_the_same_style_in_every_store() -> None:
    few = make_styles(["DFN"], ["Chen2020"])
    many = make_styles(["SPM", "mine", "SPMe", "DFN"], ["Ai2020", "Chen2020"])
    assert few.model("DFN") == many.model("DFN")
    assert len({many.model(name) for name in ("SPM", "SPMe", "DFN", "mine")}) == 4


def test_sets_of_one_cell_differ_and_sets_that_never_meet_need_no_marker() -> None:
    styles = make_styles(
        ["SPM"], ["Chen2020", "Ai2020", "Chen2020+fit", "hot"], [("Chen2020", "Chen2020+fit"), ("Chen2020+fit", "hot")]
    )
    assert styles.simulation("SPM", "Chen2020").marker == styles.simulation("SPM", "Ai2020").marker == MARKERS[0]
    assert styles.simulation("SPM", "Chen2020+fit").marker == MARKERS[1]
    assert styles.simulation("SPM", "hot").marker == MARKERS[0]
    assert styles.simulation("SPM", "Chen2020").colour == styles.simulation("SPM", "Chen2020+fit").colour


def test_a_name_that_the_store_does_not_know_has_a_style() -> None:
    styles = make_styles(["SPM"], ["Chen2020"])
    assert styles.model("other").colour.startswith("#")
    assert styles.simulation("SPM", "other").marker == ""


def test_one_model_has_its_colour_where_each_cell_has_another_set() -> None:
    styles = make_styles(["SPMe"], ["A", "B", "A+fit"], [("A", "A+fit")])
    of_each_cell = styles.curves([("SPMe", "A"), ("SPMe", "B")])
    assert set(of_each_cell) == {styles.model("SPMe")}
    of_one_cell = styles.curves([("SPMe", "A"), ("SPMe", "A+fit")])
    assert of_one_cell == (styles.parameter_set("A"), styles.parameter_set("A+fit"))
