"""From a table to a corpus: what is absent and why, what is cached, and what raises."""

import logging
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from graphfusion.datasets import load, save
from graphfusion.recordings import (
    Absent,
    ExtractionError,
    TableError,
    extract,
    per_segment,
    read_table,
)
from tests.recordings.made import RATE, Letters, Power, tone, write_container, write_sound

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")


@pytest.fixture
def table(tmp_path):
    """Three conversations of 20 utterances, one file each."""
    rows = []
    for c, name in enumerate(("a", "b", "c")):
        write_sound(tmp_path / f"{name}.wav", tone(5.0, 100 + 50 * c), RATE)
        rows += [
            {
                "conversation": name,
                "speaker": "XY"[u % 2],
                "text": name + " a e i"[: 1 + u % 6],
                "start": u / 4,
                "end": (u + 1) / 4,
                "audio": f"{name}.wav",
                "label": ["calm", "angry", None][u % 3],
                "split": "test" if name == "c" else "train",
            }
            for u in range(20)
        ]
    path = tmp_path / "table.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def equal(one, other):
    assert one.classes == other.classes
    assert one.extractors == other.extractors
    assert one.fingerprint == other.fingerprint
    return True


def test_a_table_becomes_a_corpus(table, tmp_path):
    corpus = extract(table, {"text": Letters(), "audio": Power()})
    assert corpus.classes == ("angry", "calm")
    assert corpus.in_channels == {"text": 3, "audio": 2}
    assert {split: corpus.ids(split) for split in corpus.splits} == {
        "train": ["a", "b"],
        "test": ["c"],
    }
    first = corpus.splits["train"][0]
    assert first.speaker.tolist() == [0, 1] * 10
    assert first.y.tolist()[:4] == [1, 0, -100, 1]
    assert first.features["text"][5].tolist() == [2, 1, 1]
    assert first.features["audio"][:, 1].tolist() == [0.25] * 20
    assert all(mask.all() for mask in first.present.values())
    assert corpus.extractors["text"] == Letters().fingerprint
    assert corpus.extractors["audio"] == {**Power.fingerprint, "sampling_rates": [RATE]}
    save(corpus, tmp_path / "corpus.safetensors")
    assert equal(load(tmp_path / "corpus.safetensors"), corpus)


def test_classes_and_scores_are_as_given(table):
    named = extract(table, {"text": Letters()}, classes=["calm", "angry", "glad"])
    assert named.classes == ("calm", "angry", "glad")
    assert named.splits["train"][0].y.tolist()[:3] == [0, 1, -100]
    frame = pd.read_csv(table)
    frame["label"] = np.where(frame.label.isna(), np.nan, 0.5)
    scored = extract(frame.drop(columns="audio"), {"text": Letters()}, classes=())
    assert scored.classes == ()
    assert scored.splits["train"][0].y.tolist()[:2] == [0.5, 0.5]
    assert scored.splits["train"][0].y[2].isnan()


def test_threads_and_a_cache_change_nothing(table, tmp_path):
    extractors = {"text": Letters(), "audio": Power()}
    expected = extract(table, extractors)
    cached = {"cache": tmp_path / "f"}
    for options in ({"workers": 3}, {"workers": 2, **cached}, cached):
        assert equal(extract(table, extractors, **options), expected)


@pytest.mark.slow
def test_processes_change_nothing(table, tmp_path):
    extractors = {"text": Letters(), "audio": Power()}
    expected = extract(table, extractors, cache=tmp_path / "f")
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        again = extract(table, extractors, executor=executor, cache=tmp_path / "g")
    assert equal(again, expected)
    assert sorted(p.name for p in (tmp_path / "f").iterdir()) == sorted(
        p.name for p in (tmp_path / "g").iterdir()
    )


def test_what_has_been_extracted_is_not_again(table, tmp_path):
    letters = Letters()
    extract(table, {"text": letters}, cache=tmp_path / "f")
    calls = letters.calls
    assert calls == 6  # three conversations of 16 and 4
    extract(table, {"text": letters}, cache=tmp_path / "f")
    assert letters.calls == calls
    frame = pd.read_csv(table)
    frame.loc[3, "text"] = "other"
    extract(frame.drop(columns="audio"), {"text": letters}, cache=tmp_path / "f")
    assert letters.calls == calls + 2  # one conversation
    other = Letters(revision=2)
    extract(table, {"text": other}, cache=tmp_path / "f")
    assert other.calls == calls


def test_other_sound_or_times_are_other_features(table, tmp_path):
    first = extract(table, {"audio": Power()}, cache=tmp_path / "f")
    write_sound(tmp_path / "a.wav", tone(5.0, level=0.1), RATE)
    second = extract(table, {"audio": Power()}, cache=tmp_path / "f")
    levels = [c.splits["train"][0].features["audio"][:, 0] for c in (first, second)]
    assert bool((levels[0] > levels[1] + 5).all())
    assert len(list((tmp_path / "f").iterdir())) == 4
    frame = pd.read_csv(table)
    frame.loc[0, "end"] = 0.2
    frame["audio"] = [str(tmp_path / name) for name in frame.audio]
    third = extract(frame, {"audio": Power()}, cache=tmp_path / "f")
    assert abs(third.splits["train"][0].features["audio"][0, 1] - 0.2) < 1e-6


def test_a_damaged_cache_is_refused(table, tmp_path):
    extract(table, {"text": Letters()}, cache=tmp_path / "f")
    (path, *_) = sorted((tmp_path / "f").iterdir())
    data = path.read_bytes()
    for place in (data.index(b"NUMPY"), len(data) // 2, data.rindex(b"reasons")):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ValueError, match=r"\.npz has been damaged \(.*: delete it"):
            extract(table, {"text": Letters()}, cache=tmp_path / "f")
    path.write_bytes(data[:40])
    with pytest.raises(ValueError, match="has been damaged"):
        extract(table, {"text": Letters()}, cache=tmp_path / "f")


def test_what_is_absent_is_counted_with_its_reason(tmp_path, caplog):
    quiet = np.concatenate([tone(1.0), np.zeros(RATE, np.float32), tone(1.0)])
    write_sound(tmp_path / "a.wav", quiet, RATE)
    frame = pd.DataFrame(
        [
            ("Hi", 0.0, 1.0),
            ("...", 1.1, 1.9),
            (None, 2.0, 2.05),
            ("Yes", 2.0, 3.0),
            ("No", 2.0, 3.0),
        ],
        columns=["text", "start", "end"],
    ).assign(conversation="a", speaker="A")
    paths = ["a.wav", "a.wav", "a.wav", None, "a.wav"]
    frame["audio"] = [None if name is None else str(tmp_path / name) for name in paths]
    for _ in range(2):  # from the cache, too
        caplog.clear()
        with (
            caplog.at_level(logging.WARNING),
            pytest.warns(UserWarning, match="audio must be present in most") as warned,
        ):
            corpus = extract(frame, {"text": Letters(), "audio": Power()}, cache=tmp_path / "f")
        (talk,) = corpus.splits["train"]
        assert talk.present["text"].tolist() == [True, False, False, True, True]
        assert talk.present["audio"].tolist() == [True, False, False, False, True]
        assert caplog.messages == [
            "text: absent in 2 of 5 (no words: 2)",
            "audio: absent in 3 of 5 (below -60 dBFS: 1, under 100 ms: 1, no file named: 1)",
        ]
        (warning,) = warned
        assert warning.filename == __file__


def test_an_extractor_may_say_that_there_is_none():
    frame = pd.DataFrame({"conversation": "a", "speaker": "A", "text": ["x", "y", "xx"]})
    only_x = per_segment(
        lambda each: [1.0] if "x" in each.text else Absent("no x"), "text", 1, {"extractor": "x"}
    )
    (talk,) = extract(frame, {"text": only_x}).splits["train"]
    assert talk.present["text"].tolist() == [True, False, True]
    assert talk.features["text"].tolist() == [[1], [0], [1]]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda each: 1 / (each.text != "bad"), "ZeroDivisionError: division by zero"),
        (lambda _: [1.0, 2.0], r"must return 1 finite numbers or Absent, but returned \(2,\)"),
        (lambda each: [np.nan if each.text == "bad" else 0], r"returned \(1,\) with 1 NaN"),
    ],
)
def test_an_extractor_that_fails_names_the_segment(function, said, tmp_path):
    frame = pd.DataFrame({"conversation": "a", "speaker": "A", "text": ["good", "bad", "good"]})
    extractor = per_segment(function, "text", 1, {"extractor": "x"})
    row = 1 if "2," in said else 2
    with pytest.raises(ExtractionError, match=f"^text of row {row}, conversation 'a': .*{said}"):
        extract(frame, {"text": extractor}, cache=tmp_path / "f")
    assert not (tmp_path / "f").exists() or not list((tmp_path / "f").iterdir())


def test_an_extractor_that_fails_only_on_several_names_them():
    class Single(Letters):
        def __call__(self, segments):
            (only,) = segments
            return super().__call__([only])

    frame = pd.DataFrame({"conversation": "a", "speaker": "A", "text": ["one", "two", "three"]})
    said = r"^text of row 1, conversation 'a' to text of row 3, conversation 'a': ValueError: too"
    with pytest.raises(ExtractionError, match=said):
        extract(frame, {"text": Single()})


def test_samples_that_are_not_numbers_are_named(tmp_path):
    import soundfile

    samples = tone(1.0)
    samples[-1] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    frame = pd.DataFrame({"conversation": ["a"], "speaker": ["x"], "audio": ["a.wav"]})
    with pytest.raises(ExtractionError, match="^audio of row 1, .*: samples must be finite"):
        extract(read_table(frame, tmp_path), {"audio": Power()})


def test_a_wrong_number_of_vectors_is_refused():
    class Short(Letters):
        def __call__(self, segments):
            return super().__call__(segments)[1:]

    frame = pd.DataFrame({"conversation": "a", "speaker": "A", "text": ["good", "bad"]})
    with pytest.raises(ExtractionError, match="a vector for each of 2 segments, but returned 1"):
        extract(frame, {"text": Short()})


def test_wrong_tables_are_refused_before_any_work(table, tmp_path):
    letters = Letters()
    (tmp_path / "c.wav").unlink()
    with pytest.raises(TableError) as got:
        extract(table, {"text": letters, "audio": Power()})
    (problem,) = got.value.problems
    assert problem.startswith("rows 41 to 60: audio must be a readable file")
    assert letters.calls == 0
    extract(table, {"text": letters})  # which needs no sound


@pytest.mark.parametrize("extractors", [{}, [Letters()], {"text": len}, {"": Letters()}])
def test_what_is_no_extractor_is_refused(extractors, table):
    with pytest.raises(TypeError, match="extractors"):
        extract(table, extractors)


@pytest.mark.parametrize(
    ("needs", "dim", "fingerprint", "said"),
    [("smell", 1, {"a": 1}, "needs"), ("text", 0, {"a": 1}, "dim"), ("text", 1, {}, "fingerprint")],
)
def test_per_segment_checks_what_it_is_given(needs, dim, fingerprint, said):
    with pytest.raises(ValueError, match=f"^{said} must"):
        per_segment(len, needs, dim, fingerprint)


def test_frames_are_given_one_after_the_other(tmp_path):
    pictures = [np.full((48, 64, 3), 2 * n, np.uint8) for n in range(100)]
    write_container(tmp_path / "a.mp4", None, pictures=pictures)
    frame = pd.DataFrame(
        {
            "conversation": "a",
            "speaker": "A",
            "start": [0.0, 1.0, 2.0],
            "end": [1.0, 1.05, 4.0],
            "video": str(tmp_path / "a.mp4"),
        }
    )
    count = per_segment(
        lambda each: [sum(1 for _ in each.frames())], "video", 1, {"extractor": "count"}
    )
    (talk,) = extract(frame, {"video": count}).splits["train"]
    assert talk.present["video"].tolist() == [True, False, True]
    assert torch.equal(talk.features["video"].flatten(), torch.tensor([5.0, 0.0, 10.0]))
