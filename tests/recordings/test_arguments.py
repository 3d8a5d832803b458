"""What is refused before an extraction, and what an extractor may not return."""

from pathlib import Path

import numpy as np
import pytest
import torch

from graphfusion.datasets.checks.extractors import check_same
from graphfusion.recordings import (
    Absent,
    ExtractionError,
    check_table,
    extract,
    per_segment,
    read_table,
)
from tests.recordings.made import Letters, frame, write_container

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")


@pytest.fixture
def table():
    return frame(text=["area", "it is"], label=["calm", "angry"])


@pytest.mark.parametrize(
    "classes", ["calm,angry", {"calm", "angry"}, {"calm": 0, "angry": 1}, [0, 1], 2]
)
def test_classes_that_are_no_sequence_of_names_are_refused(table, classes):
    letters = Letters()
    with pytest.raises(TypeError, match=r"^classes must be (a sequence of )?names"):
        extract(table, {"text": letters}, classes=classes)
    assert letters.calls == 0
    with pytest.raises(TypeError, match="^classes must be"):
        check_table(read_table(table), (), classes)


def test_classes_are_named_once(table):
    for call in (
        lambda: extract(table, {"text": Letters()}, classes=["calm", "angry", "calm"]),
        lambda: check_table(read_table(table), (), ["calm", "angry", "calm "]),
    ):
        with pytest.raises(ValueError, match="classes must name each once"):
            call()


@pytest.mark.parametrize("kind", [np.array, pd.Series, iter, tuple])
def test_classes_of_any_sequence(table, kind):
    corpus = extract(table, {"text": Letters()}, classes=kind(["calm", "angry"]))
    assert corpus.classes == ("calm", "angry")
    check_table(read_table(table), (), kind(["calm", "angry"]))


def test_classes_look_as_labels_do(table):
    table["label"] = ["fro\u0308hlich", "fr\u00f6hlich "]
    corpus = extract(table, {"text": Letters()}, classes=["fro\u0308hlich"])
    assert corpus.classes == ("fr\u00f6hlich",)
    assert corpus.splits["train"][0].y.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("fingerprint", "said"),
    [
        ({"model": Path("x")}, "must be representable in JSON, but: .*Path"),
        ({"rate": float("nan")}, "must be representable in JSON"),
        ({"options": {1: 2}}, "must have string keys only"),
        ([("a", 1)], "must be an object of JSON"),
    ],
)
def test_a_fingerprint_is_json(table, fingerprint, said):
    def never(_):
        raise AssertionError

    with pytest.raises(TypeError, match=rf"extractors\['text'\]\.fingerprint {said}"):
        extract(table, {"text": per_segment(never, "text", 1, fingerprint)})


def test_the_size_of_vectors_is_an_integer(table, tmp_path):
    letters = Letters()
    letters.dim = np.int64(3)
    assert extract(table, {"text": letters}, cache=tmp_path).in_channels == {"text": 3}
    for dim, error in ((0, ValueError), (3.0, TypeError)):
        letters.dim = dim
        with pytest.raises(error, match=r"extractors\['text'\]\.dim must be"):
            extract(table, {"text": letters})


def test_fingerprints_are_compared_as_json():
    check_same("text", {"extractor": "x", "range": (0, 1)}, {"extractor": "x", "range": [0, 1]})
    with pytest.raises(ValueError, match=r"range\[1\]: 1 then, 2 now"):
        check_same("text", {"range": (0, 2)}, {"range": [0, 1]})
    with pytest.raises(TypeError, match="the fingerprint of 'text' must be representable in JSON"):
        check_same("text", {"model": Path("x")}, {"model": "x"})


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (torch.ones(1, requires_grad=True), "RuntimeError: .*requires grad"),
        (Absent, "TypeError"),
        ([[1], [1, 2]], "ValueError"),
        (["x"], "ValueError"),
    ],
)
def test_a_result_that_is_no_vector_names_the_segment(table, result, said):
    extractor = per_segment(lambda _: result, "text", 1, {"extractor": "x"})
    with pytest.raises(ExtractionError, match=f"^text of row 1, conversation 'a': {said}"):
        extract(table, {"text": extractor})


def test_exactly_100_ms_are_enough(tmp_path):
    pictures = [np.full((48, 64, 3), 2 * n, np.uint8) for n in range(25)]
    path = write_container(tmp_path / "a.mp4", None, pictures=pictures)
    times = [0.1, 0.2, 0.3, 0.5]
    assert any(round(time + 0.1, 1) - time < 0.1 for time in times)
    table = frame(start=times, end=[round(time + 0.1, 1) for time in times], video=[path] * 4)
    count = per_segment(lambda each: [len(list(each.frames()))], "video", 1, {"extractor": "n"})
    (conversation,) = extract(table, {"video": count}).splits["train"]
    assert conversation.present["video"].all()
