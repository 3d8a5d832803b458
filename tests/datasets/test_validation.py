"""The validator: everything that is wrong, each with its place, and nothing else."""

import pickle
import re
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import Conversation, Standardize
from graphfusion.datasets import Corpus, FormatError, Problem, load, save, validate
from graphfusion.datasets.validation import examine
from graphfusion.training.data import check_splits, held_out
from tests.datasets.made_corpora import (
    assert_same,
    put_together,
    small_corpus,
    small_file,
    take_apart,
)
from tests.datasets.samples import (
    load_bytes,
    make_sample,
    npz_arrays,
    npz_bytes,
    pickle_fields,
    read_all,
)

FIELDS = ("features.text", "features.audio", "speaker", "y")
PLACES = [(name, field) for name in ("one", "two", "three") for field in FIELDS]
START = {"one": 0, "two": 3, "three": 5}


@given(st.sets(st.sampled_from(PLACES)), st.data())
def test_every_fault_is_listed_with_its_place_and_no_other(places, data):
    def broken(path):
        header, tensors = small_file(path)
        for name, field in places:
            if field == "speaker":
                wrong = data.draw(st.sampled_from([-1, -(2**63), 7, 2**63 - 1]))
            elif field == "y":
                wrong = data.draw(st.sampled_from([-1, -(2**63), 2, 2**63 - 1]))
            else:
                wrong = data.draw(st.sampled_from([torch.nan, torch.inf, -torch.inf]))
            # The first utterance: the labels of the others keep every class in "train".
            tensors[field].view(9, -1)[START[name], -1] = wrong
        tensors["y"][[4, 2]] = torch.tensor([0, 1])
        put_together(path, header, tensors)
        return validate(path)

    problems = load_bytes(broken, b"")
    assert {(each.conversation, each.field) for each in problems} == places
    assert len(problems) == len(places)
    for each in problems:
        assert "utterance 0 has" in each.message
        if each.field.startswith("features."):  # the last channel's, of 3 or 2
            assert f"at position {2 if each.field == 'features.text' else 1}." in each.message
        assert "such utterances" not in each.message


@given(st.sets(st.tuples(st.integers(0, 2), st.sampled_from(["audio", "visual", "text", "label"]))))
def test_every_fault_of_an_npz_is_listed(places):
    sample = make_sample()
    arrays = npz_arrays(sample)
    for conversation, name in places:
        arrays[name][[0, 3, 5][conversation]] = 9 if name == "label" else np.nan
    problems = load_bytes(validate, npz_bytes(arrays))
    found = {(each.conversation, each.field) for each in problems if each.field != "classes"}
    assert found == {
        (sample.conversations[conversation].id, "y" if name == "label" else f"features.{name}")
        for conversation, name in places
    }


def test_the_number_of_occurrences_is_named():
    def broken(path):
        header, tensors = small_file(path)
        tensors["features.text"][[1, 2, 4]] = torch.nan
        put_together(path, header, tensors)
        return [str(each) for each in validate(path)]

    assert load_bytes(broken, b"") == [
        "conversation 'one': text must be finite, but utterance 1 has NaN or infinity at "
        "position 0, one of 2 such utterances.",
        "conversation 'two': text must be finite, but utterance 1 has NaN or infinity at "
        "position 0.",
    ]


def test_what_is_absent_may_be_anything():
    def broken(path):
        header, tensors = small_file(path)
        tensors["features.text"][[1, 2]] = torch.nan
        present = torch.ones(9, 2, dtype=torch.bool)
        present[1, 0] = False
        put_together(path, header, tensors | {"present": present})
        return validate(path)

    (problem,) = load_bytes(broken, b"")
    assert "utterance 2 has NaN or infinity at position 0." in problem.message


def test_all_that_is_wrong_with_the_layout_is_listed():
    def broken(path):
        header, tensors = small_file(path)
        del tensors["features.audio"]
        tensors["ptr"] = torch.tensor([1, 5, 3, 8])
        tensors["speaker"] = tensors["speaker"].int()
        tensors["features.text"] = tensors["features.text"][1:]
        tensors["sound"] = torch.zeros(9, 2)
        put_together(path, header, tensors)
        return validate(path)

    problems = load_bytes(broken, b"")
    assert [(each.conversation, each.field) for each in problems] == [
        (None, "speaker"),
        (None, "features.text"),
        (None, "features.audio"),
        (None, "sound"),
        (None, "ptr"),
        (None, "ptr"),
        ("two", "ptr"),
    ]


def test_all_that_is_wrong_with_the_header_is_listed():
    def broken(path):
        header, tensors = small_file(path)
        header |= {"classes": "calm", "modalities": ["text", "text"], "splits": ["one"]}
        put_together(path, header, tensors)
        return validate(path)

    assert [each.field for each in load_bytes(broken, b"")] == ["classes", "modalities", "splits"]


def test_all_that_is_wrong_among_conversations_is_listed():
    def broken(path):
        header, tensors = small_file(path)
        header["classes"] = ["calm", "angry", "calm"]
        header["splits"] = {"train": [], "dev": [], "test": ["one", "two", "one"]}
        put_together(path, header, tensors)
        return validate(path)

    assert [(each.conversation, each.field) for each in load_bytes(broken, b"")] == [
        (None, "classes"),
        (None, "splits"),
        ("one", "id"),
        (None, "splits"),
    ]


def conversation(name, speaker, y):
    return Conversation(
        {"text": torch.full((len(y), 1), float(len(name)))},
        torch.tensor(speaker),
        torch.tensor(y),
        id=name,
    )


def test_what_loads_but_hardly_on_purpose():
    """What :func:`load` accepts is listed as well."""
    corpus = Corpus(
        ("calm", "angry", "glad"),
        {
            "train": [
                conversation("gap", [0, 2, 1], [0, 0, 0]),
                conversation("good", [0, 1, 0, 2], [0] * 4),
            ],
            "dev": [],
            "test": [conversation("tardy", [1, 0, 5], [1, 0, 1])],
        },
    )

    def check(path):
        save(corpus, path)
        load(path)
        return validate(path)

    assert load_bytes(check, b"") == [
        Problem(None, "splits", "'dev' must have conversations, but has none."),
        Problem(None, "classes", "class 'angry' must have an example in 'train', but has none."),
        Problem(None, "classes", "class 'glad' must have an example in 'train', but has none."),
        Problem(
            "gap",
            "speaker",
            "speaker must be numbered from 0 by first appearance, but utterance 1 has 2.",
        ),
        Problem(
            "tardy",
            "speaker",
            "speaker must be numbered from 0 by first appearance, but utterance 0 has 1, one of 2 "
            "such utterances.",
        ),
    ]


def test_constant_features_and_silent_utterances_are_no_problem():
    def check(path):
        save(small_corpus(), path)  # whose features are constant
        header, tensors = take_apart(path)
        present = torch.ones(9, 2, dtype=torch.bool)
        present[4] = False
        put_together(path, header, tensors | {"present": present})
        return validate(path)

    assert load_bytes(check, b"") == []


def several(*rows):
    """The small corpus, its utterances in order with these rows of two classes."""
    corpus, rows = small_corpus(), iter(rows)

    def relabelled(each):
        y = torch.tensor([next(rows) for _ in each.y], dtype=torch.float32)
        return Conversation(each.features, each.speaker, y, id=each.id)

    splits = {split: [relabelled(each) for each in of] for split, of in corpus.splits.items()}
    return Corpus(corpus.classes, splits)


def test_several_classes_at_once(tmp_path):
    none, both, calm, nan = (0, 0), (1, 1), (1, 0), (torch.nan, torch.nan)
    save(several(none, calm, both, nan, none, *[both] * 4), tmp_path / "corpus")
    assert validate(tmp_path / "corpus") == []
    assert examine(tmp_path / "corpus", {}).notes == ("utterances without a label: 1",)
    save(several(none, calm, calm, nan, none, *[both] * 4), tmp_path / "corpus")
    message = "class 'angry' must have an example in 'train', but has none."
    assert validate(tmp_path / "corpus") == [Problem(None, "classes", message)]


def test_scores_of_which_none_is_known(tmp_path):
    corpus, path = small_corpus(), tmp_path / "corpus"
    for each in [each for split in corpus.splits.values() for each in split]:
        each.y = torch.full_like(each.y, torch.nan, dtype=torch.float32)
    save(Corpus((), corpus.splits), path)
    message = "'train' must have an utterance with a score, but has none."
    assert validate(path) == [Problem(None, "y", message)]


def test_a_modality_that_is_absent_in_a_whole_conversation_is_no_problem(tmp_path):
    corpus, path = small_corpus(), tmp_path / "corpus"
    corpus.splits["train"][0].present["audio"][:] = False
    save(corpus, path)
    assert validate(path) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y.long(), "y must be of a floating dtype, but got torch.int64"),
        (lambda y: y[:, :1], r"y must have shape \[U, 2\], but got \[9, 1\]"),
        (lambda y: y[:, :, None], r"y must be of dtype torch.int64, but got torch.float32"),
        (lambda y: y / 2, "conversation 'one': labels must be 0 or 1, .* has 0.5 for 'calm'"),
    ],
)
def test_several_classes_that_cannot_be(tmp_path, change, message):
    path = tmp_path / "corpus"
    save(several(*[(1, 1)] * 9), path)
    header, tensors = take_apart(path)
    put_together(path, header, tensors | {"y": change(tensors["y"]).contiguous()})
    with pytest.raises(FormatError, match=message):
        load(path)
    assert any(re.search(message, str(each)) for each in validate(path))


def test_a_pickle_is_read_as_far_as_it_can_be():
    fields = pickle_fields(make_sample(num_classes=3))
    assert load_bytes(validate, pickle.dumps(tuple(fields))) == []
    fields[2]["train0"] = [0, 0, 0]  # so that the last conversation alone has some class
    fields[2]["train1"] = [0, 0]
    fields[2]["test2"] = [0, 1, 2, 0]
    assert [str(each) for each in load_bytes(validate, pickle.dumps(tuple(fields)))] == [
        "class '1' must have an example in 'train', but has none.",
        "class '2' must have an example in 'train', but has none.",
    ]
    fields[4]["train0"][1] = np.full(3, np.nan)
    fields[3]["train0"][2] = np.full(4, np.inf)
    problems = load_bytes(validate, pickle.dumps(tuple(fields)))
    assert [(each.conversation, each.field) for each in problems] == [
        ("train0", "features.audio"),
        ("train0", "features.text"),
        (None, "classes"),
        (None, "classes"),
    ]
    fields[2]["test2"] = [0, 1]
    (problem,) = load_bytes(validate, pickle.dumps(tuple(fields)))
    assert (problem.conversation, problem.field) == ("test2", None)
    assert "labels must have one entry per utterance (4), but has 2" in problem.message


def test_features_of_another_size_are_one_problem():
    fields = pickle_fields(make_sample())
    fields[4]["test2"] = np.ones((4, 2), np.float32)
    problems = load_bytes(validate, pickle.dumps(tuple(fields)))
    assert [(each.conversation, each.field) for each in problems] == [("test2", "features")]


@pytest.mark.parametrize("data", [b"", b"not a corpus", b"PK", b"\x80"])
def test_what_is_no_corpus_is_one_problem(data):
    (problem,) = load_bytes(validate, data)
    assert (problem.conversation, problem.field) == (None, None)
    assert "features" not in str(problem)  # the file's name is the caller's


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        validate(tmp_path / "none")


def test_an_error_carries_its_problems_through_pickle():
    error = FormatError("file: wrong", [Problem("conversation", "y", "wrong")])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems) == (str(error), error.problems)


def test_doubtful_features_are_listed():
    def check(path):
        rows = torch.randn(30, 3)
        rows[:, 1] = 5 + 1e-6 * rows[:, 1]
        rows[7] = 0
        parts = {"a": rows, "b": torch.randn(4, 3)}
        parts["c"] = parts["b"].clone()
        made = [
            Conversation(
                {"text": x},
                torch.zeros(len(x), dtype=torch.int64),
                torch.zeros(len(x), dtype=torch.int64),
                id=name,
            )
            for name, x in parts.items()
        ]
        made[0].features["text"][7, 1] = 0
        save(Corpus(("calm",), {"train": made[:1], "test": made[1:]}), path)
        return [str(each) for each in validate(path)]

    found = load_bytes(check, b"")
    assert "conversation 'c': features must differ from those of 'b', but are the same." in found
    assert any("all zeros in 1 utterance, the first: utterance 7 of 'a'" in each for each in found)


def test_a_flipped_bit_is_found_wherever_it_is():
    def flip(path):
        save(small_corpus(), path)
        whole, data = read_all(load(path)), path.read_bytes()
        for place in range(0, len(data), 7):
            broken = bytearray(data)
            broken[place] ^= 1 << place % 8
            path.write_bytes(broken)
            try:
                again = read_all(load(path))
            except FormatError:
                assert validate(path)
            else:
                assert_same(again, whole)

    load_bytes(flip, b"")


SPLITS = ("train", "test", "dev", "val", "valid", "validation", "extra")


@given(st.dictionaries(st.sampled_from(SPLITS), st.integers(1, 3)))
def test_splits_are_doubted_as_far_as_training_refuses_them(sizes):
    made = {
        split: [conversation(f"{split} {'x' * n}", [0, 1], [0, 1]) for n in range(size)]
        for split, size in ({"train": 1} | sizes).items()
    }
    corpus = Corpus(("calm", "angry"), made)

    def check(path):
        save(corpus, path)
        return [each.message for each in validate(path) if each.field == "splits"]

    refused = []
    for ask in (check_splits, partial(held_out, seed=0)):
        try:
            ask(corpus)
        except ValueError as error:
            refused.append(f"the {error}")
    assert load_bytes(check, b"") == refused


@given(
    st.sampled_from([0.0, 1.0, 1e3, 1e6]),
    st.sampled_from([0.0, 1e-9, 1e-6, 1e-3, 1.0]),
    st.sampled_from([0.0, 1e-9, 1e-6, 1e-3, 1.0, 1e3]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 2**31),
)
def test_columns_are_doubted_as_far_as_standardising_clips_them(level, spread, shift, dtype, seed):
    """Or where they are constant in training, and it can do nothing about them."""
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randn(n, 2, generator=generator, dtype=torch.float64) for n in (40, 5)]
    for each, moved in zip(rows, (0.0, shift), strict=True):
        each[:, 1] = level + spread * each[:, 1] + moved
    train, test = (
        Conversation({"text": x.to(dtype)}, torch.zeros(len(x)).long(), torch.zeros(len(x)).long())
        for x in rows
    )
    train.id, test.id = "train", "dev"

    def check(path):
        save(Corpus(("calm",), {"train": [train], "dev": [test]}), path)
        found = [each.message for each in validate(path)]
        return [each for each in found if "repeats a value" not in each]  # rounded to one value

    standardize = Standardize({"text": 2}).fit([train])
    clipped = max(
        float(standardize(each.features)["text"][:, 1].abs().max()) for each in (train, test)
    )
    known, new = (each.features["text"][:, 1] for each in (train, test))
    largest = max(float(known.abs().max()), float(new.abs().max()))
    unscaled = float(standardize.statistics["text"].scale[1]) == 1
    constant = unscaled and bool((new < known.min()).any() or (new > known.max()).any())
    flat = float(known.double().std(correction=0)) <= 1e-5 * largest
    found = load_bytes(check, b"")
    if constant:
        assert found == [
            "text must vary in 'train' as elsewhere, but is constant there, in 1 of 2 columns, the "
            "first: 1."
        ]
    elif flat and clipped == 200:
        assert found == [
            "text must vary in 'train' as elsewhere, but hardly does there, so that "
            "standardisation clips at 200, in 1 of 2 columns, the first: 1."
        ]
    else:
        assert found == []
