"""Corpora from tables of whatever library and back, and all that is wrong with a table."""

import datetime
import json
import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import parquet

from graphfusion import Conversation
from graphfusion.datasets import Corpus, FormatError, load, save, validate
from graphfusion.datasets.__main__ import main
from graphfusion.datasets.readers._reading import number_speakers
from tests.datasets.made_corpora import assert_same, bits, corpora
from tests.datasets.samples import load_bytes

MODALITIES = st.sampled_from(["text", "audio", "ptr", "a.b", "y", "features.y"])
ROUND = (torch.float32, torch.float64, torch.float16)


def as_a_table_has_it(corpus):
    """Without what a table does not keep."""

    def plain(talk):
        features = {
            name: values.clone().masked_fill(~talk.present[name][:, None], torch.nan)
            for name, values in talk.features.items()
        }
        further = {"score": talk.score} if "score" in talk else {}
        speaker = number_speakers(talk.speaker.tolist())
        return Conversation(features, speaker, talk.y, talk.present, id=talk.id, **further)

    splits = {split: [plain(each) for each in talks] for split, talks in corpus.splits.items()}
    return Corpus(corpus.classes, {split: talks for split, talks in splits.items() if talks})


def has_all(corpus):
    """Whether each modality is there at all: else its size is unknown."""
    talks = [talk for split in corpus.splits.values() for talk in split]
    return all(any(talk.present[m].any() for talk in talks) for m in corpus.in_channels)


def has_columns(corpus):
    """Whether each of several classes has a column of its own name."""
    others = {*corpus.in_channels, "conversation", "turn", "split", "speaker", "score"}
    return corpus.task != "multilabel" or not others & set(corpus.classes)


def arrow(frame):
    return pa.Table.from_pandas(frame, preserve_index=False)


class Interchanged:
    """A frame of some library that speaks the interchange protocol alone."""

    def __init__(self, frame):
        self.frame = frame

    def __dataframe__(self, *args, **kwargs):
        return self.frame.__dataframe__(*args, **kwargs)


class Wrapped:
    """A data set of some library that gives a frame of pandas."""

    def __init__(self, frame):
        self.frame = frame

    def to_pandas(self):
        return self.frame


@given(corpora(modality=MODALITIES, dtypes=ROUND).filter(has_all).filter(has_columns), st.data())
def test_to_a_table_and_back(corpus, data):
    frame = corpus.to_table()
    wanted = as_a_table_has_it(corpus)
    score = "score" if "score" in frame.columns else None
    names = list(corpus.in_channels)
    form = data.draw(st.sampled_from(["pandas", "arrow", "wrapped", "parquet"]))
    several = corpus.task == "multilabel"
    labels = {"label": corpus.classes} if several else {"classes": corpus.classes}
    options = {**labels, "score": score}
    if form == "parquet":
        data_ = load_bytes(lambda path: [frame.to_parquet(path), path.read_bytes()][1], b"")
        again = load_bytes(lambda path: load(path, features=names, **options), data_)
    else:
        make = {"pandas": lambda each: each, "arrow": arrow, "wrapped": Wrapped}[form]
        again = Corpus.from_table(make(frame), names, **options)
    assert_same(again, wanted)
    order = data.draw(st.permutations(range(len(frame))))
    shuffled = Corpus.from_table(frame.iloc[order], names, **options)
    for split in wanted.splits:
        talks = {each.id: bits(each) for each in shuffled.splits[split]}
        assert talks == {each.id: bits(each) for each in wanted.splits[split]}


def test_an_opened_corpus_becomes_a_table(tmp_path):
    corpus = Corpus.from_table(table(), FEATURES, classes=("calm", "glad"))
    save(corpus, tmp_path / "corpus")
    frame = load(tmp_path / "corpus").to_table()
    assert frame["label"].tolist() == ["calm", "glad", None, "calm"]
    assert frame["turn"].tolist() == [0, 1, 2, 0]
    assert frame["audio"][2] is None
    assert_same(Corpus.from_table(frame, ["text", "audio"], classes=corpus.classes), corpus)


def test_dtypes_that_tables_lack_become_float32():
    text = torch.tensor([[0.5, 2.0], [1.0, 3.0]], dtype=torch.bfloat16)
    talk = Conversation({"text": text}, torch.tensor([0, 1]), torch.tensor([0, 0]), id="a")
    (first, _) = Corpus(("calm",), {"train": [talk]}).to_table()["text"]
    assert (first.dtype, first.tolist()) == (np.float32, [0.5, 2.0])


FEATURES = ("text", "audio")

# As objects: pandas 2.2 cannot make a column of a list of such.
HUGE = np.array([0, 10**400, 1, 1], dtype=object)


def table(**changed):
    """Two conversations, the rows of the first not in order."""
    columns = {
        "conversation": ["a", "a", "b", "a"],
        "turn": [3, 1, 1, 2],
        "speaker": ["Ann", "Ann", "Cid", "Bob"],
        "label": [None, "calm", "calm", "glad"],
        "split": ["train", "train", "test", "train"],
        "text": [[3.0, 3.5], [1.0, 1.5], [4.0, 4.5], [2.0, 2.5]],
        "audio": [None, [1.0], [4.0], [2.0]],
    }
    return pd.DataFrame(columns | changed)


def test_rows_are_sorted_and_nulls_are_missing():
    corpus = Corpus.from_table(table(), FEATURES)
    assert corpus.classes == ("calm", "glad")
    assert corpus.ids("train") == ["a"]
    (talk,) = corpus.splits["train"]
    assert talk.features["text"][:, 0].tolist() == [1.0, 2.0, 3.0]
    assert talk.features["text"].dtype == torch.float32
    assert talk.present["audio"].tolist() == [True, True, False]
    assert talk.speaker.tolist() == [0, 1, 0]
    assert talk.y.tolist() == [0, 1, -100]


def with_arrays(frame):
    """The same with vectors of float32, which lists become here; Arrow takes them for float64."""
    lists = {
        name: [each and np.array(each, np.float32) for each in frame[name]] for name in FEATURES
    }
    return frame.assign(**lists)


@pytest.mark.parametrize("make", [arrow, Wrapped, lambda frame: Wrapped(arrow(frame))])
def test_tables_of_others(make):
    plain = Corpus.from_table(table(), FEATURES)
    assert_same(Corpus.from_table(make(with_arrays(table())), FEATURES), plain)
    doubles = Corpus.from_table(arrow(table()), FEATURES).splits["train"][0].features["text"]
    assert doubles.dtype == torch.float64


def test_the_interchange_protocol():
    numbers = table()[["conversation", "turn", "speaker", "label", "split"]]
    numbers["t0"], numbers["t1"] = [3.0, 1.0, 4.0, 2.0], [3.5, 1.5, 4.5, 2.5]
    corpus = Corpus.from_table(Interchanged(arrow(numbers)), {"text": ["t0", "t1"]})
    plain = Corpus.from_table(table(), ["text"])
    assert_same(corpus, replace(plain, extractors={"text": {"columns": ["t0", "t1"]}}))


def test_features_beside_the_table():
    text = np.array([[3, 3.5], [1, 1.5], [4, 4.5], [2, 2.5]], np.float32)
    audio = torch.tensor([[torch.nan], [1.0], [4.0], [2.0]])
    frame = table(f0=[3.0, 1, 4, 2], f1=[3.5, 1.5, 4.5, 2.5], renamed=table()["audio"])
    plain = Corpus.from_table(table(), FEATURES)
    array = Corpus.from_table(frame, {"text": text.astype(np.float32), "audio": "audio"})
    assert_same(array, plain)
    columns = Corpus.from_table(frame, {"text": ["f0", "f1"], "audio": "renamed"})
    assert_same(columns, replace(plain, extractors={"text": {"columns": ["f0", "f1"]}}))
    with pytest.warns(UserWarning, match="audio counts as missing in 1 of 4 rows, .* but NaN"):
        assert_same(Corpus.from_table(frame, {"text": text, "audio": audio}), plain)
    assert Corpus.from_table(frame, {"text": np.ones((4, 2), int)}).in_channels == {"text": 2}


TEXT = [[3.0, 3.5], [1.0, 1.5], [4.0, 4.5], [2.0, 2.5]]


@pytest.mark.parametrize(
    "source",
    [
        torch.tensor(TEXT, requires_grad=True),
        torch.tensor(TEXT, dtype=torch.bfloat16),
        np.array(TEXT, ">f4"),
        np.asfortranarray(np.array(TEXT, "f4")),
    ],
)
def test_arrays_of_any_kind(source):
    plain = Corpus.from_table(table(), FEATURES)
    assert_same(Corpus.from_table(table(), {"text": source, "audio": "audio"}), plain)


@pytest.mark.parametrize("dtype", [">f4", ">f8", "<f2", ">i4"])
def test_vectors_of_any_byte_order(dtype):
    cells = [np.array(each).astype(dtype) for each in TEXT]
    (talk,) = Corpus.from_table(table(text=cells), ["text"]).splits["train"]
    assert talk.features["text"].tolist() == [cells[row].tolist() for row in (1, 3, 0)]


def test_numbers_that_pytorch_lacks_are_refused():
    wide = np.array(TEXT, np.longdouble)
    rule = (
        r"column 'x': must be numbers \[4, d\] of at most 64 bits, .* but is \w+ of shape \[4, 2\]"
    )
    with pytest.raises(FormatError, match=rule):
        Corpus.from_table(table(), {"x": wide})
    with pytest.raises(FormatError, match="row 0, column 'text': must be a vector of numbers"):
        Corpus.from_table(table(text=list(wide)), ["text"])


def test_masked_arrays_are_refused():
    """Their masks would be ignored."""
    masked = np.ma.masked_array(TEXT, mask=np.eye(4, 2, dtype=bool))
    with pytest.raises(TypeError, match=r"features\['x'\] must be an array without a mask"):
        Corpus.from_table(table(), {"x": masked})
    with pytest.raises(FormatError, match="row 0, column 'text': must be a vector of numbers"):
        Corpus.from_table(table(text=list(masked)), ["text"])


def test_names_of_columns_may_be_numbers():
    frame = table().assign(speaker="A")
    frame[0], frame[1] = 1.5, 2.5
    corpus = Corpus.from_table(frame, {"text": list(np.array([0, 1]))})
    assert corpus.extractors == {"text": {"columns": ["0", "1"]}}


def test_what_is_not_there():
    corpus = Corpus.from_table(
        table()[["conversation", "text"]],
        ["text"],
        turn=None,
        speaker=None,
        label=None,
        split=None,
    )
    assert corpus.classes == ()
    assert corpus.ids("train") == ["a", "b"]
    talk = corpus.splits["train"][0]
    assert talk.features["text"][:, 0].tolist() == [3.0, 1.0, 2.0]
    assert talk.y.isnan().all()
    assert talk.speaker.tolist() == [0, 0, 0]
    later = Corpus.from_table(table(), ["text"], label=None, classes=("calm", "glad"))
    assert later.splits["train"][0].y.tolist() == [-100] * 3


@pytest.mark.parametrize(
    ("label", "classes", "names", "y"),
    [
        ([1, 0, 0, -1], None, ("0", "1"), [0, -100, 1]),
        ([1, 0, 0, -100], ("x", "y", "z"), ("x", "y", "z"), [0, -100, 1]),
        ([None, 0.0, 1.0, 1.0], ("x", "y"), ("x", "y"), [0, 1, -100]),
        (pd.array([None, 0, 1, 1], "Int64"), None, ("0", "1"), [0, 1, -100]),
        (pd.Categorical([None, "x", "y", "x"], ["y", "x"]), None, ("x", "y"), [0, 0, -100]),
        ([None, 0.5, 1.0, -1.0], None, (), [0.5, -1.0, np.nan]),
        ([5, 60, 7, 8], (), (), [60, 8, 5]),
        ([None] * 4, ("x",), ("x",), [-100] * 3),
        ([None] * 4, None, (), [np.nan] * 3),
    ],
)
def test_labels(label, classes, names, y):
    corpus = Corpus.from_table(table(label=label), ["text"], classes=classes)
    assert corpus.classes == names
    assert corpus.splits["train"][0].y.tolist() == pytest.approx(y, nan_ok=True)


@pytest.mark.parametrize("make", [list, np.array, pd.Index, pd.Series, iter])
def test_classes_may_be_in_any_sequence(make):
    corpus = Corpus.from_table(table(), FEATURES, classes=make(["glad", "calm"]))
    assert corpus.classes == ("glad", "calm")
    assert {type(each) for each in corpus.classes} == {str}
    assert corpus.labels("train")[0].tolist() == [1, 0, -100]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"calm", "glad"}, "classes must be a sequence of names, but got {"),
        (frozenset(["calm"]), "classes must be a sequence of names, but got frozenset"),
        ({"calm": 1, "glad": 0}, "classes must be a sequence of names, but got {"),
        ("calm,glad", "classes must be a sequence of names, but got 'calm,glad'"),
        (2, "classes must be a sequence of names, but got 2"),
        ([0, 1], "classes must be names, strings, but got 0"),
    ],
)
def test_classes_that_are_no_sequence_of_names_are_refused(tmp_path, classes, message):
    table().to_csv(tmp_path / "table.csv")
    with pytest.raises(TypeError, match=f"^{message}"):
        load(tmp_path / "table.csv", classes=classes)
    with pytest.raises(TypeError, match=f"^{message}"):
        Corpus.from_table(table(), FEATURES, classes=classes)
    with pytest.raises(TypeError, match=f"^{message}"):
        Corpus.from_table(table(), FEATURES, label=None, classes=classes)


@pytest.mark.parametrize("classes", [("-1", "0", "1"), ("1", "2", "3"), ("0", "2", "1")])
@pytest.mark.parametrize("numbers", [[1, 0, 1, 1], [None, 0.0, 1.0, 1.0]])
def test_numbers_are_no_labels_where_classes_are_other_numbers(classes, numbers):
    message = f"'label': classes are numbers, {', '.join(classes)}, but labels are positions"
    with pytest.raises(FormatError, match=message):
        Corpus.from_table(table(label=numbers), ["text"], classes=classes)
    named = table(label=[None, *classes])
    assert Corpus.from_table(named, ["text"], classes=classes).labels("train")[0].tolist() == [
        0,
        2,
        -100,
    ]


SEVERAL = ["joy", "anger"]


@pytest.mark.parametrize(
    "joy",
    [
        [None, True, False, True],
        [None, 1, 0, 1],
        [np.nan, 1.0, 0.0, 1.0],
        pd.array([None, True, False, True], "boolean"),
        pd.array([None, 1, 0, 1], "Int8"),
    ],
)
def test_several_classes_at_once(joy):
    frame = table(joy=joy, anger=[0, 0, 1, 1])
    for label in (SEVERAL, tuple(SEVERAL)):
        corpus = Corpus.from_table(frame, FEATURES, label=label)
        assert (corpus.classes, corpus.task) == (("joy", "anger"), "multilabel")
        (talk,) = corpus.splits["train"]
        assert talk.y.dtype == torch.float32
        assert talk.y.nan_to_num(-1).tolist() == [[1, 0], [1, 1], [-1, 0]]
    assert Corpus.from_table(frame, FEATURES, label=["anger"]).splits["train"][0].y.shape == (3, 1)
    back = corpus.to_table()
    assert list(back)[3:] == ["speaker", *SEVERAL, *FEATURES]
    assert_same(Corpus.from_table(back, FEATURES, label=SEVERAL), corpus)


def test_several_classes_that_are_wrong():
    frame = table(joy=[0, 2, 0.5, None], anger=["yes", True, False, None])
    assert problems(frame, label=SEVERAL) == [
        "row 1, column 'joy': must be 1 or 0, true or false, or null where missing, but is 2.0, "
        "one of 2 such rows.",
        "row 0, column 'anger': must be 1 or 0, true or false, or null where missing, but is "
        "'yes'.",
    ]
    (message,) = problems(frame, label=["joy", "envy"])
    assert "column 'envy': must be in the table, but is missing (pass label=None" in message
    for label, classes, expected in (
        ([], None, "label must name a column, or be None, but is empty"),
        (["joy", "joy"], None, r"label must name each once, but got \['joy', 'joy'\]"),
        (SEVERAL, ["anger", "joy"], r"classes must be left out .* but got \['anger', 'joy'\]"),
    ):
        with pytest.raises(ValueError, match=expected):
            Corpus.from_table(frame, FEATURES, label=label, classes=classes)
    with pytest.raises(TypeError, match=r"label must be strings, but got \['joy', 1\]"):
        Corpus.from_table(frame, FEATURES, label=["joy", 1])
    taken = Corpus.from_table(table(score=[0, 1, 0, 1]), FEATURES, label=["score"])
    with pytest.raises(ValueError, match=r"classes must have other names .* got \['score'\]"):
        taken.to_table()


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_files_of_several_classes(tmp_path, form):
    path, target = tmp_path / f"table.{form}", tmp_path / "corpus.safetensors"
    frame = table(joy=[None, True, False, True], anger=[0, 0, 1, 1])
    if form == "parquet":
        with_arrays(frame).to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    wanted = Corpus.from_table(frame, FEATURES, label=SEVERAL)
    assert_same(load(path, label=SEVERAL), wanted)
    assert main(["convert", str(path), str(target), "--columns", "label=joy,anger"]) == 0
    assert_same(load(target), wanted)
    assert validate(path, label=SEVERAL) == validate(target)


def test_scores_besides_classes_and_times_as_turns():
    day = datetime.datetime(2020, 1, 1)
    turns = [day + datetime.timedelta(days=each) for each in (3, 1, 1, 2)]
    frame = table(turn=turns, power=[None, 1.0, 2, 3])
    corpus = Corpus.from_table(frame, FEATURES, score="power")
    assert corpus.splits["train"][0].score.tolist() == pytest.approx([1, 3, np.nan], nan_ok=True)
    assert corpus.splits["train"][0].features["text"][:, 0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("form", ["plain", "arrow"])
def test_nan_is_missing_in_columns_of_arrow_too(form):
    def column(values):
        if form == "plain":
            return values
        return pd.array(pa.array(values, pa.float64()), pd.ArrowDtype(pa.float64()))

    with pytest.raises(FormatError, match="row 2, column 'turn': must have a number or a time"):
        Corpus.from_table(table(turn=column([2.0, 1.0, np.nan, 3.0])), FEATURES)
    frame = table(s=column([np.nan, 2.5, 3.5, 4.5]), label=column([0.5, np.nan, -1.0, 1.5]))
    (talk,) = Corpus.from_table(frame, FEATURES, score="s").splits["train"]
    assert talk.score.tolist() == pytest.approx([2.5, 4.5, np.nan], nan_ok=True)
    assert talk.y.tolist() == pytest.approx([np.nan, 1.5, 0.5], nan_ok=True)


def problems(frame, features=FEATURES, **options):
    with pytest.raises(FormatError) as caught:
        Corpus.from_table(frame, features, **options)
    assert str(caught.value).startswith("the table has ")
    assert all(each.message in str(caught.value) for each in caught.value.problems[:20])
    return [each.message for each in caught.value.problems]


def test_all_problems_are_listed_by_row_and_column():
    frame = table(
        conversation=["a", "a", None, "a"],
        turn=[1, 2, 1, 2],
        speaker=[None, "Ann", "Cid", 1.5],
        split=["train", "test", "dev", "train"],
        label=["calm", "sad", "calm", None],
        text=[[1.0, 2.0], [1.0], "no", [np.nan, 1.0]],
    )
    audio = np.zeros((3, 2))
    assert problems(frame, {"text": "text", "audio": audio}, classes=["calm"]) == [
        "row 2, column 'conversation': must have a conversation, but is None.",
        "row 3, column 'turn': must be different in each row of a conversation, but is 2.",
        "row 1, column 'split': must be 'train' as in all of conversation 'a', but is 'test'.",
        "row 0, column 'speaker': must have a speaker, but is None.",
        "row 3, column 'speaker': must be a string or an integer, but is 1.5.",
        "row 1, column 'label': must be one of the classes ['calm'], but is 'sad'.",
        "row 2, column 'text': must be a vector of numbers, a list or an array (['text'] takes "
        "single numbers), but is 'no'.",
        "row 1, column 'text': must have 2 numbers, as the first vector has, but is [1.0].",
        "column 'audio': must be numbers [4, d] of at most 64 bits, one row per row of the table, "
        "but is float64 of shape [3, 2].",
    ]
    assert problems(table(conversation=["a", "", "b", "a"])) == [
        "row 1, column 'conversation': must not be empty, but is ''."
    ]


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        (
            {},
            {"turn": "time"},
            r"column 'time': must be .* missing \(pass turn=None if .*; in a shell, .* turn=`\)",
        ),
        ({}, {"features": ["smell"]}, "column 'smell': must be in the table, but is missing"),
        ({}, {"conversation": "talk"}, "column 'talk': must be in the table, but is missing; it"),
        ({"split": ["dev"] * 4}, {}, r"column 'split': must have 'train', but has \['dev'\]"),
        ({"turn": list("1234")}, {}, "row 0, column 'turn': must be a number or a time"),
        ({"turn": [1, None, 1, 2]}, {}, "row 1, column 'turn': must have a number or a time"),
        ({"label": [None, 0.0, 1.0, 1.0]}, {}, "column 'label': labels must be integers if they"),
        (
            {"label": [3, 0, 1, 1]},
            {"classes": ["x", "y"]},
            "row 0, .* must be the number of a class, in \\[0, 2\\)",
        ),
        (
            {"label": [0.5, 0, 1, 1]},
            {"classes": ["x", "y"]},
            "row 0, .* must be the number of a class, in \\[0, 2\\)",
        ),
        ({"label": ["x", 0, "x", "x"]}, {}, "row 1, column 'label': must be a name like the first"),
        ({"label": [0.5, np.inf, 1, 1]}, {}, "row 1, column 'label': must be finite"),
        (
            {"label": [0, 10**12, 1, 1]},
            {},
            "row 1, column 'label': must be below 1000 to be a class",
        ),
        ({"label": HUGE}, {}, "row 1, column 'label': must be below 1000 to be a class"),
        ({"label": HUGE}, {"classes": ("x", "y")}, "row 1, .* must be the number of a class"),
        ({"label": HUGE}, {"classes": ()}, "row 1, column 'label': must be finite"),
        ({"power": -HUGE}, {"score": "power"}, "row 1, .* must be a finite number"),
        (
            {"f": HUGE},
            {"features": {"x": ["f"]}},
            "row 1, column 'f': must be finite",
        ),
        ({"text": [[0], [10**400], [1], [1]]}, {}, "row 1, column 'text': must be a vector of"),
        ({"text": [[0.0], [1e300], [1.0], [1.0]]}, {}, "row 1, column 'text': must be finite at"),
        ({"text": [[0], ["a"], [1], [1]]}, {}, "row 1, column 'text': must be a vector of"),
        (
            {"f": [None] * 4},
            {"features": {"x": ["f"]}},
            "column 'x': must have a vector in some row, but has none",
        ),
        ({"text": ["[0]", "[" * 9000, "[1]", "[1]"]}, {}, "row 1, column 'text': must be a vector"),
        ({"label": list("wxyz")}, {"classes": ()}, "row 0, column 'label': must be a score"),
        ({"power": [1, "x", 2, 3]}, {"score": "power"}, "row 1, .* must be a finite number"),
        ({"audio": [None] * 4}, {}, "column 'audio': must have a vector in some row, but has none"),
        ({"audio": [[np.inf], [1.0], [1.0], [1.0]]}, {}, "row 0, column 'audio': must be finite"),
        ({"audio": [[], [1.0], [1.0], [1.0]]}, {}, "row 0, column 'audio': must be a vector of"),
        ({"f": list("abcd")}, {"features": {"x": ["f"]}}, "row 0, column 'f': must be a number"),
    ],
)
def test_a_problem(changed, options, message):
    options = {"features": FEATURES, **options}
    (found,) = problems(table(**changed), **options)
    assert re.search(message, found)


FORMS = st.sampled_from(["array", "tensor", "vectors", "json", "columns"])


def with_feature(matrix, form):
    """A table of one conversation with these vectors, and where they are."""
    frame = pd.DataFrame({"conversation": "a", "turn": range(len(matrix)), "label": "x"})
    if form in ("array", "tensor"):
        return frame, {"m": matrix if form == "array" else torch.from_numpy(matrix)}
    if form == "columns":
        names = [f"c{place}" for place in range(matrix.shape[1])]
        return frame.assign(**dict(zip(names, matrix.T, strict=True))), {"m": names}
    vectors = [row if form == "vectors" else json.dumps(row.tolist()) for row in matrix]
    return frame.assign(m=pd.Series(vectors, dtype=object)), {"m": "m"}


OPTIONS = {"speaker": None, "split": None}
NUMBERS = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.just(1.0))


@given(NUMBERS, FORMS, st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
def test_what_is_not_finite_is_named_by_row_column_and_position(matrix, form, value, data):
    row, place = (data.draw(st.integers(0, size - 1)) for size in matrix.shape)
    matrix[row, place] = value
    frame, features = with_feature(matrix, form)
    (found,) = problems(frame, features, **OPTIONS)
    if form == "columns":
        expected = (
            f"row {row}, column 'c{place}': must be finite, or empty in all columns of m, but"
        )
    else:
        expected = f"row {row}, column 'm': must be finite at position {place} of the vector (from"
    assert found.startswith(expected)
    assert found.endswith(f"but is {value}.")


@given(NUMBERS, FORMS, st.data())
def test_vectors_of_nan_are_missing_and_counted(matrix, form, data):
    lacking = data.draw(st.sets(st.integers(0, len(matrix) - 1), max_size=len(matrix) - 1))
    matrix[list(lacking)] = np.nan
    frame, features = with_feature(matrix, form)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        corpus = Corpus.from_table(frame, features, **OPTIONS)
    absent = [row not in lacking for row in range(len(matrix))]
    assert corpus.splits["train"][0].present["m"].tolist() == absent
    if not lacking or form == "columns":  # whose cells are null
        assert not caught
    else:
        assert f"m counts as missing in {len(lacking)} of {len(matrix)} rows" in str(
            caught[0].message
        )
        assert caught[0].filename == __file__


def test_many_problems_are_counted():
    frame = pd.concat([table()] * 30)
    assert problems(frame) == [
        "row 4, column 'turn': must be different in each row of a conversation, but is 3, one of "
        "116 such rows."
    ]
    wide = table(**{f"f{place}": list("abcd") for place in range(30)})
    with pytest.raises(FormatError, match="the table has 30 problems:\n(.*\n){20}- and 10 more$"):
        Corpus.from_table(wide, {f"f{place}": f"f{place}" for place in range(30)})


def test_a_table_that_is_none():
    with pytest.raises(TypeError, match="frame must be a table of pandas or Arrow, but got list"):
        Corpus.from_table([], FEATURES)
    for features in ("text", [], {}, 3):
        with pytest.raises(TypeError, match="features must map modalities to columns or arrays"):
            Corpus.from_table(table(), features)
    assert "must have a row, but has none" in problems(table()[:0])[0]
    twice = table().rename(columns={"audio": "text"})
    assert problems(twice, ["text"]) == [
        "column 'text': must be in the table once, but comes twice."
    ]


def test_a_modality_with_a_column_s_name():
    corpus = Corpus.from_table(table(), {"turn": "text"})
    with pytest.raises(ValueError, match=r"other names than columns, but got \['turn'\]"):
        corpus.to_table()


@pytest.mark.parametrize("form", ["parquet", "csv", "tsv"])
def test_files(tmp_path, capsys, form):
    path, target = tmp_path / f"table.{form}", tmp_path / "corpus.safetensors"
    splits = ["train", "train", "dev", "train"]
    frame = table(speaker=["None", "None", "007", "7"], split=splits)
    if form == "parquet":
        with_arrays(frame).to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if form == "csv" else "\t")
    corpus = load(path)
    assert_same(corpus, Corpus.from_table(frame, FEATURES))
    assert main(["convert", str(path), str(target)]) == 0
    assert_same(load(target), corpus)
    assert "without the values of the turns, whose order is kept\n" in capsys.readouterr().out
    assert main(["validate", str(path)]) == 0
    assert "Corpus(train=1, dev=1, in_channels={'text': 2, 'audio': 1}" in capsys.readouterr().out
    options = ["--columns", "turn=", "label=", "--features", "x=text", "--classes", "sad,glad"]
    assert main(["convert", str(path), str(target), *options]) == 0
    assert "turns" not in capsys.readouterr().out
    again = load(target)
    assert (again.classes, again.in_channels) == (("sad", "glad"), {"x": 2})
    assert again.splits["train"][0].features["x"][:, 0].tolist() == [3.0, 1.0, 2.0]


def test_files_that_are_wrong(tmp_path, capsys):
    path = tmp_path / "table.csv"
    table(label=["calm", None, None, "rage"], turn=[1, 1, 1, 2]).to_csv(path, index=False)
    found = validate(path, classes=["calm"])
    assert [each.field for each in found] == ["turn", "label"]
    assert main(["convert", str(path), str(tmp_path / "out.safetensors"), "--classes", "calm"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert (
        main(["convert", str(path), str(tmp_path / "out.safetensors"), "--labels", "scores"]) == 2
    )
    with pytest.raises(SystemExit):
        main(["convert", str(path), str(tmp_path / "out.safetensors"), "--columns", "time=x"])
    assert "ROLE must be one of ['conversation', " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]
    path.write_text("conversation,turn\na,1\n")
    with pytest.raises(FormatError, match="features must be columns of vectors, but the table has"):
        load(path)
    path.write_text("")
    with pytest.raises(FormatError):
        load(path)


@pytest.mark.parametrize("surplus", [",", ",1", ",1,2"])
def test_rows_of_a_csv_file_with_more_cells_than_the_header_are_refused(tmp_path, surplus):
    path = tmp_path / "table.csv"
    # The first column would become the row labels, also where it looks like row numbers.
    rows = [f"{row},{row},ann,train,calm,[1]{surplus}\n" for row in range(3)]
    path.write_text("conversation,turn,speaker,split,label,text\n" + "".join(rows))
    size = 6 + surplus.count(",")
    with pytest.raises(FormatError, match=f"cells as the header, 6, but the first has {size};"):
        load(path)


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("name", ["label", "text"])
def test_a_column_that_a_file_has_twice_is_refused(tmp_path, form, name):
    path = tmp_path / f"table.{form}"
    frame = table()
    if form == "csv":
        pd.concat([frame, frame[[name]]], axis=1).to_csv(path, index=False)
    else:
        whole = arrow(with_arrays(frame))
        parquet.write_table(whole.append_column(name, whole[name]), path)
    with pytest.raises(FormatError, match=f"'{name}': must be in the table once, but comes twice"):
        load(path)


def test_columns_of_a_csv_file_without_a_name_are_ignored(tmp_path):
    path = tmp_path / "table.csv"
    table().assign(**{" ": 1}).to_csv(path)  # with its row numbers
    path.write_text(path.read_text().replace(", \n", ",\n"))
    assert_same(load(path), Corpus.from_table(table(), FEATURES))


def test_a_parquet_file_that_says_more_than_it_has(tmp_path):
    path = tmp_path / "table.parquet"
    rows = 30_000_000
    zeros = pa.array(np.zeros(rows, np.int8))
    parquet.write_table(pa.table({"x": zeros}), path)
    assert path.stat().st_size < 150_000
    with pytest.raises(FormatError, match="refused: reading the file takes about 240000000 bytes"):
        load(path)


def test_no_footer_ends_the_process(tmp_path):
    """A contradictory chunk makes Arrow throw an exception that nothing catches."""
    path = tmp_path / "table.parquet"
    parquet.write_table(pa.table({"x": ["a", "b"]}), path, store_schema=False)
    data = bytearray(path.read_bytes())
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for place in range(start, len(data) - 8):
        data[place] ^= 1
        path.write_bytes(data)
        with pytest.raises(FormatError):  # which, without the bit, is for want of a conversation
            load(path)
        data[place] ^= 1


@pytest.mark.parametrize(
    "source", [pd.DataFrame({"a": [0.0] * 4}), pd.Series([[0.0]] * 4), [[0.0]] * 4, 3, None]
)
def test_a_source_that_is_neither_columns_nor_an_array_is_refused(source):
    """The rows of another table may be in another order."""
    rule = r"features\['z'\] must be a column, a list of columns, or an array .* but got"
    with pytest.raises(TypeError, match=rule):
        Corpus.from_table(table(), {"text": "text", "z": source})


def test_columns_may_have_any_names_in_any_sequence():
    frame = table(a=[1.0, 2.0, 3.0, 4.0], b=[4.0, 3.0, 2.0, 1.0]).rename(columns={"a": 0, "b": 1})
    found = [
        Corpus.from_table(frame, {"z": columns}).fingerprint
        for columns in ([0, 1], (0, 1), frame.columns[-2:], dict.fromkeys([0, 1]).keys())
    ]
    assert len(set(found)) == 1


def test_whole_floats_as_labels_name_options_of_tables():
    frame = table(label=[None, 0.0, 1.0, 2.0])
    with pytest.raises(FormatError, match=r"or name the classes, or pass classes=\[\] if they are"):
        Corpus.from_table(frame, FEATURES)
    assert Corpus.from_table(frame, FEATURES, classes=[]).classes == ()
    assert Corpus.from_table(frame, FEATURES, classes=["a", "b", "c"]).classes == ("a", "b", "c")


def test_names_of_classes_that_are_almost_the_same_warn():
    frame = table(label=["Calm", "calm", "glad", " calm"])
    with pytest.warns(UserWarning, match=r"differ in case or spaces only: \[\[' calm', 'Calm', 'c"):
        assert Corpus.from_table(frame, FEATURES).classes == (" calm", "Calm", "calm", "glad")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Corpus.from_table(frame, FEATURES, classes=["calm", "Calm", " calm", "glad"])
        Corpus.from_table(table(), FEATURES)
        with pytest.raises(FormatError, match="the table has 1 problem:\n- .*'turn'"):
            Corpus.from_table(frame.assign(turn=1), FEATURES)  # problems come first


def test_names_of_classes_in_two_forms_of_unicode_warn():
    frame = table(label=["fr\u00f6hlich", "fro\u0308hlich", "glad", "glad"])
    with pytest.warns(UserWarning, match="classes that differ in case or spaces only"):
        Corpus.from_table(frame, FEATURES)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_is_no_class(blank):
    with pytest.raises(FormatError, match=r"row 0, column 'label': must be a name, or null where"):
        Corpus.from_table(table(label=[blank, "calm", "calm", "glad"]), FEATURES)


def test_options_of_tables_are_for_tables(tmp_path):
    corpus = Corpus.from_table(table(), FEATURES)
    save(corpus, tmp_path / "corpus")
    with pytest.raises(ValueError, match="features must be given for a table .*, but .* is safete"):
        load(tmp_path / "corpus", features=["text"])
