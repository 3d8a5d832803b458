"""The table: what comes in is in it, and all that is wrong is said at once, with its row."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.recordings import TableError, check_table, read_subtitles, read_table
from graphfusion.recordings.table import COLUMNS, utterances
from tests.recordings.made import RATE, tone, write_sound

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8
).filter(str.strip)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "conversation": WORDS,
            "speaker": WORDS,
            "text": st.none() | WORDS,
            "start": st.none() | st.floats(0, 1e4),
            "label": st.none() | WORDS,
        }
    ),
    min_size=1,
    max_size=6,
)


def frame(**columns):
    size = max(map(len, columns.values()))
    return pd.DataFrame({"conversation": ["a"] * size, "speaker": ["A"] * size, **columns})


def problems(call):
    with pytest.raises(TableError) as got:
        call()
    assert all(problem in str(got.value) for problem in got.value.problems)
    return got.value.problems


@given(ROWS)
def test_a_csv_is_read_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    written = pd.DataFrame(rows)
    written.to_csv(path, index=False)
    for table in (read_table(path), read_table(written)):
        for each, row in zip(utterances(table), rows, strict=True):
            for name, value in row.items():
                assert getattr(each, name) == value
            assert (each.split, each.audio, each.end) == ("train", None, None)


def test_parquet_is_read_too(tmp_path):
    pytest.importorskip("pyarrow", reason="pandas reads Parquet by pyarrow")
    table = frame(text=["x", None], start=[0.0, 1.5], end=[1.0, 2.0], audio=["b.wav", None])
    table.to_parquet(tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    assert read.audio.tolist() == [str(tmp_path / "b.wav"), None]
    assert read.start.tolist() == [0.0, 1.5]


def test_a_csv_keeps_ids_and_words_as_they_are(tmp_path):
    (tmp_path / "t.csv").write_text(
        "\ufeffconversation,speaker,text,label\n0012,007,NA,1\n0012,008,,\n", encoding="utf-8"
    )
    first, second = utterances(read_table(tmp_path / "t.csv"))
    assert (first.conversation, first.speaker, first.text, first.label) == (
        "0012",
        "007",
        "NA",
        "1",
    )
    assert (second.text, second.label) == (None, None)


def test_numbers_with_gaps_are_the_names_that_they_were():
    table = read_table(frame(conversation=[7, 7], speaker=[1.0, 2.0]))
    assert [each.speaker for each in utterances(table)] == ["1", "2"]
    assert [each.conversation for each in utterances(table)] == ["7", "7"]


def test_scores_stay_numbers():
    table = read_table(frame(label=[0.5, np.nan]))
    assert [each.label for each in utterances(table)] == [0.5, None]
    check_table(table, classes=())


def test_paths_are_relative_to_the_table(tmp_path):
    (tmp_path / "t.csv").write_text("conversation,speaker,audio\na,A,sub/b.wav\n")
    assert read_table(tmp_path / "t.csv").audio.tolist() == [str(tmp_path / "sub/b.wav")]
    assert read_table(tmp_path / "t.csv", root="/x").audio.tolist() == ["/x/sub/b.wav"]
    assert read_table(frame(audio=["/y/b.wav"]), root="/x").audio.tolist() == ["/y/b.wav"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"speeker": ["A"], "conversation": ["a"]}, ["must have speaker", "['speeker']"]),
        ({"conversation": [], "speaker": []}, ["there must be one at least"]),
        (
            {"conversation": ["a", None], "speaker": ["", "B"], "start": ["soon", "1"]},
            ["row 2: conversation", "row 1: speaker", "row 1: start must be a number"],
        ),
        ({"conversation": ["a"], "speaker": ["A"], "split": [None]}, ["row 1: split"]),
    ],
)
def test_missing_columns_are_named(columns, said):
    got = problems(lambda: read_table(pd.DataFrame(columns)))
    assert len(got) == len(said)
    assert all(part in problem for part, problem in zip(said, got, strict=True)), got


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a \.csv or \.parquet file or a frame"):
        read_table(tmp_path / "t.xlsx")


def test_all_problems_are_named_at_once(tmp_path):
    write_sound(tmp_path / "good.wav", tone(2.0), RATE)
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    table = pd.DataFrame(
        [
            ("a", "A", 0.0, 1.0, "good.wav", "calm", "train"),
            ("a", "B", 1.0, 9.0, "good.wav", "cross", "train"),
            ("a", "A", 0.5, 1.0, "good.wav", "calm", "test"),
            ("b", "A", 1.0, 1.0, "good.wav", "calm", "train"),
            ("b", "A", None, 1.0, "bad.wav", None, "train"),
            ("b", "A", None, None, "gone.wav", None, "train"),
        ],
        columns=["conversation", "speaker", "start", "end", "audio", "label", "split"],
    )
    got = problems(
        lambda: check_table(read_table(table, tmp_path), {"audio"}, classes=["calm", "angry"])
    )
    for part in (
        "row 3: utterances must be in order, but it starts at 0.5 s, before row 2",
        "row 4: start must be at least 0 and before end, but got 1 and 1",
        "row 5: start and end must both be given, or neither, but one is",
        "row 3: conversation 'a' must be in one split, but is in 'test' and, in row 1, in 'train'",
        "row 2: label must be one of ['calm', 'angry'], but is 'cross'",
        "row 2: end must be within",
        "row 5: audio must be a readable file",
        "row 6: audio must be a readable file",
    ):
        assert sum(part in problem for problem in got) == 1, (part, got)
    assert len(got) == 8


def test_only_the_files_that_are_needed_are_looked_into(tmp_path):
    table = read_table(frame(audio=["gone.wav"]), tmp_path)
    check_table(table, {"text", "video"})
    assert len(problems(lambda: check_table(table, {"audio"}))) == 1


def test_an_end_may_be_rounded_up(tmp_path):
    write_sound(tmp_path / "a.wav", tone(1.97), RATE)
    check_table(read_table(frame(start=[0], end=[2.0], audio=["a.wav"]), tmp_path))


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [
        ([0.5, -1.0], None, "pass classes=() if they are scores"),
        (["0.5", "-1.25"], None, "pass classes=() if they are scores"),
        (["calm"], (), "must be a finite score, but is 'calm'"),
        (["-inf"], (), "must be a finite score, but is '-inf'"),
    ],
)
def test_labels_that_may_be_either_are_refused(labels, classes, said):
    (got,) = problems(lambda: check_table(read_table(frame(label=labels)), classes=classes))
    assert said in got


def test_numbers_may_be_names_of_classes():
    check_table(read_table(frame(label=["0", "1"])))
    check_table(read_table(frame(label=["0", "1"])), classes=())


def test_the_training_split_must_not_be_empty():
    (got,) = problems(lambda: check_table(read_table(frame(split=["test"]))))
    assert "must be 'train'" in got


def test_without_pandas_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHi")
    monkeypatch.setitem(sys.modules, "pandas", None)
    for call in (lambda: read_table("t.csv"), lambda: read_subtitles(tmp_path / "a.vtt")):
        with pytest.raises(ImportError, match=r'pip install "graphfusion\[recordings\]"'):
            call()


def test_the_columns_are_those_of_the_page():
    assert list(read_table(frame(text=["x"]))) == list(COLUMNS)
