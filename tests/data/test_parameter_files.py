"""Files of parameter sets: recognised by their content, and refused with a plain error before PyBaMM reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kilocell.data.parameter_files import content_digest, read_document
from kilocell.data.settings import ParameterSetSettings

BPX = Path(__file__).parents[2] / "examples" / "bpx" / "lgm50.bpx.json"


def bpx(**parts: Any) -> dict[str, Any]:
    """The example with other parts of its parameterisation; ``None`` takes one out."""
    document: dict[str, Any] = json.loads(BPX.read_text(encoding="utf-8"))
    for name, value in parts.items():
        part = name.replace("_", " ")
        document["Parameterisation"][part] = value
        if value is None:
            del document["Parameterisation"][part]
    return document


def refused(document: Any) -> str:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the tests look at the text
        read_document(content)
    return str(caught.value)


def test_forms_are_told_by_their_content() -> None:
    assert read_document(BPX.read_bytes())[0] == "bpx"
    assert read_document(b"\xef\xbb\xbf" + BPX.read_bytes())[0] == "bpx"
    assert read_document(b'{"Nominal cell capacity [A.h]": 5.0}')[0] == "pybamm"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1, column 1"),
        (b"\xff\xfe", "not UTF-8"),
        (b'{"a [V]": 1,}', "line 1, column 13"),
        (b"[1, 2]", "not a JSON object"),
        (b"{}", "neither BPX"),
        (b'{"a": 1}', "neither BPX"),
        (b'{"a [V]": NaN}', "NaN, which is not a number"),
        (b'{"a [V]": 1, "a [V]": 2}', "'a [V]' twice"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_parameter_set_is_refused_with_words(content: bytes, words: str) -> None:
    assert words in refused(content)


def test_bpx_without_what_pybamm_needs_is_refused() -> None:
    assert 'its "Header" has no "BPX"' in refused({"Parameterisation": {}})
    assert '"Parameterisation"' in refused({"Header": {"BPX": "1.1.0"}})
    assert "'Electrolyte' and 'Separator'" in refused(bpx(Electrolyte=None, Separator=None))
    single = bpx(Electrolyte=None, Separator=None)
    single["Header"]["Model"] = "SPM"
    assert "a file for SPM needs them too" in refused(single)
    cell = {key: value for key, value in bpx()["Parameterisation"]["Cell"].items() if not key.startswith("Volume")}
    assert "'Volume [m3]'" in refused(bpx(Cell=cell))


@pytest.mark.parametrize("expression", ["exit(1)", "1 + log(x)", "x * y", "__import__(x)", "exp(X)"])
def test_an_expression_with_other_words_is_refused(expression: str) -> None:
    electrolyte = {"Cation transference number": 0.26, "Conductivity [S.m-1]": expression}
    assert "in 'Conductivity [S.m-1]'" in refused(bpx(Electrolyte=electrolyte))


def test_numbers_with_an_exponent_are_no_words() -> None:
    electrolyte = {"Conductivity [S.m-1]": "1e-3 * x**2 - 2.5E+1 * exp(.5e2 - tanh(x) * cosh(1.))"}
    assert read_document(json.dumps(bpx(Electrolyte=electrolyte)).encode())[0] == "bpx"


@pytest.mark.parametrize("kind", ["subprocess.Popen", "os.path", "pybammx.Scalar", "builtinsx.x"])
def test_only_pybamms_classes_are_made(kind: str) -> None:
    node = {"$type": "pybamm.expression_tree.scalar.Scalar", "children": [{"$type": kind}]}
    assert kind in refused({"OCP [V]": node})
    assert kind in refused({"OCP [V]": {"$type": "type", "class": kind}})


def test_the_key_of_a_set_names_its_content() -> None:
    content = BPX.read_bytes()
    one = ParameterSetSettings("s", "s", file_digest=content_digest(content))
    other = ParameterSetSettings("s", "s", file_digest=content_digest(content + b"\n"))
    assert len({one.key, other.key, ParameterSetSettings("s", "s").key}) == 3
    assert ParameterSetSettings("Chen2020+x", "Chen2020").key == "Chen2020"
