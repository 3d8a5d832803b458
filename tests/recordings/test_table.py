"""The table: what comes in is in it, and all that is wrong is said at once, with its row."""

import re
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.recordings import read_subtitles, read_table
from graphfusion.recordings.problems import group_problems, name_rows
from graphfusion.recordings.table import COLUMNS, tidy, utterances
from tests.recordings.asserts import problems
from tests.recordings.made import frame

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


@given(ROWS)
def test_a_csv_is_read_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    written = pd.DataFrame(rows)
    written.to_csv(path, index=False)
    names = ("conversation", "speaker", "label")
    rows = [row | {name: row[name] and tidy(row[name]) for name in names} for row in rows]
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


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, "", " "])
def test_missing_cells_are_none(missing):
    (row,) = utterances(read_table(frame(text=[missing], start=[missing], label=[missing])))
    assert (row.text, row.start, row.label) == (None, None, None)


def test_numbers_with_gaps_are_the_names_that_they_were():
    table = read_table(frame(conversation=[7, 7], speaker=[1.0, 2.0]))
    assert [each.speaker for each in utterances(table)] == ["1", "2"]
    assert [each.conversation for each in utterances(table)] == ["7", "7"]


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


def test_columns_of_the_same_name_are_refused():
    table = pd.DataFrame([["a", "A", "B"]], columns=["conversation", "speaker", "speaker"])
    (got,) = problems(lambda: read_table(table))
    assert got == "columns: must be different, but are ['conversation', 'speaker', 'speaker']."


@pytest.mark.parametrize("column", ["conversation", "speaker", "label", "split"])
def test_names_that_look_alike_are_one(column):
    names = ["Jürgen", "Jürgen ", unicodedata.normalize("NFD", " Jürgen"), "jürgen"]
    table = read_table(frame(text=names, **{column: names}))
    assert table[column].tolist() == ["Jürgen"] * 3 + ["jürgen"]
    assert table.text.tolist() == names


@pytest.mark.parametrize("cell", ["00:01.000", "0,8", "1.5 s", "1:02"])
def test_times_in_another_form_are_named_once(cell):
    (got,) = problems(lambda: read_table(frame(start=["0.5", cell, cell, cell])))
    rule = "start must be a number of seconds with a decimal point, such as 1.5"
    assert got == f"rows 2 to 4: {rule}, but is {cell!r}."


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_file_with_another_separator_is_named(tmp_path, separator, name):
    path = tmp_path / "t.csv"
    path.write_text(separator.join(["conversation", "speaker", "text\na", "A", "Well, well\n"]))
    (got,) = problems(lambda: read_table(path))
    assert got.startswith(f"{path}: cells must be separated by commas, but are by {name}; save")
    path.write_text(f"conversation,speaker,text\na,A,b{separator}c\n")
    assert read_table(path).text.tolist() == [f"b{separator}c"]


def test_a_file_in_another_encoding_is_read_or_named(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("conversation,speaker\na,Jürgen\n", encoding="utf-16")
    assert read_table(path).speaker.tolist() == ["Jürgen"]
    path.write_text("conversation,speaker\na,Jürgen\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"t\.csv must be text in UTF-8 or UTF-16, but: 'utf-8'"):
        read_table(path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("a,A,Hi\na,A,Well, well\n", ", row 2: must have as many cells as there are columns, 3; "),
        ("a,A,Well, well\na,A\n", ", rows 1 to 2: must have as many cells as there are columns"),
        ('a,A,Hi\na,A,"Hi\n', ", line 3: must be a table in CSV, but: unexpected end of data."),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, rows, said):
    (tmp_path / "t.csv").write_text(f"conversation,speaker,text\n{rows}")
    (got,) = problems(lambda: read_table(tmp_path / "t.csv"))
    assert got.startswith(f"{tmp_path / 't.csv'}{said}")


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "t.csv").write_text("")
    (got,) = problems(lambda: read_table(tmp_path / "t.csv"))
    assert got == "columns: must have conversation, speaker, but are []."
    (tmp_path / "t.csv").write_text("conversation,speaker\n")
    (got,) = problems(lambda: read_table(tmp_path / "t.csv"))
    assert got == "rows: there must be one at least, but there is none."


@given(st.sets(st.integers(1, 60), min_size=1))
def test_all_rows_are_named(rows):
    named, more = set(), 0
    for first, last, rest in re.findall(r"(\d+)(?: to (\d+))?( more)?", name_rows(sorted(rows))):
        if rest:
            more = int(first)
        else:
            named |= set(range(int(first), int(last or first) + 1))
    assert named <= rows
    assert len(named) + more == len(rows)
    assert name_rows(sorted(rows)).startswith("rows " if len(rows) > 1 else "row ")


def test_rows_are_named_in_few_words():
    assert name_rows([3]) == "row 3"
    assert name_rows([1, 3, 17, 18, 19]) == "rows 1, 3 and 17 to 19"
    assert name_rows(range(2, 44, 2)) == "rows 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and 11 more"


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from("ab"), st.sampled_from("xy"))))
def test_every_rule_that_is_broken_has_one_line(found):
    found = sorted(set(found))
    lines = group_problems(found)
    assert [line.partition(": ")[2][0] for line in lines] == list(
        dict.fromkeys(rule for _, rule, _ in found)
    )


def test_what_differs_is_of_the_first_row():
    found = [(2, "a rule", ", but is 7"), (4, "another", ""), (5, "a rule", ", but is 8")]
    assert group_problems(found) == ["rows 2 and 5: a rule, but is 7 (row 2).", "row 4: another."]
    assert group_problems(found[:1]) == ["row 2: a rule, but is 7."]


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a \.csv or \.parquet file or a frame"):
        read_table(tmp_path / "t.xlsx")


def test_without_pandas_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nHi")
    monkeypatch.setitem(sys.modules, "pandas", None)
    for call in (lambda: read_table("t.csv"), lambda: read_subtitles(tmp_path / "a.vtt")):
        with pytest.raises(ImportError, match=r'pip install "graphfusion\[recordings\]"'):
            call()


def test_the_columns_are_those_of_the_page():
    assert list(read_table(frame(text=["x"]))) == list(COLUMNS)
