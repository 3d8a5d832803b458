import re
from math import nan

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.loader import DataLoader

from graphfusion import Conversation
from graphfusion.datasets import Corpus, load, load_npz, save
from graphfusion.datasets.checks.consistency import inconsistencies
from tests.datasets.samples import load_bytes, make_sample, npz_arrays, npz_bytes


def corpus():
    return load_bytes(load_npz, npz_bytes(npz_arrays(make_sample())))


def talk(name="talk", y=(0, 1), present=None, score=None, **features):
    features = features or {"audio": torch.zeros(2, 3)}
    further = {} if score is None else {"score": score}
    return Conversation(
        features, torch.tensor([0, 1]), torch.tensor(y), present, id=name, **further
    )


@given(
    st.permutations(["audio", "visual", "text"]), st.lists(st.booleans(), min_size=2, max_size=2)
)
def test_select_joins_orders_and_drops(order, joins):
    # Between two neighbours stands either "+" or a new entry; the last modality may be dropped.
    entries = [order[0]]
    for name, join in zip(order[1:], joins, strict=True):
        if join:
            entries[-1] += f"+{name}"
        else:
            entries.append(name)
    chosen = corpus().select(entries)
    for split, conversations in corpus().splits.items():
        for old, new in zip(conversations, chosen.splits[split], strict=True):
            assert list(new.features) == [entry.split("+")[0] for entry in entries]
            for entry in entries:
                names = entry.split("+")
                joined = torch.cat([old.features[name] for name in names], dim=1)
                assert torch.equal(new.features[names[0]], joined)
            assert new.id == old.id
            assert torch.equal(new.speaker, old.speaker)
            assert torch.equal(new.y, old.y)


def test_select_keeps_what_is_not_joined_and_leaves_the_corpus_alone():
    whole = corpus()
    assert whole.select(["text"]).in_channels == {"text": 4}
    assert whole.in_channels == {"audio": 3, "visual": 2, "text": 4}
    assert whole.num_classes == len(whole.classes) == 2


def test_a_joined_modality_is_present_where_all_of_it_are():
    features = {"audio": torch.zeros(2, 3), "tone": torch.zeros(2, 1), "text": torch.zeros(2, 2)}
    features["tone"][1] = torch.nan
    present = {"tone": torch.tensor([True, False]), "text": torch.tensor([False, True])}
    whole = Corpus(("a", "b"), {"train": [talk(present=present, **features)]})
    (chosen,) = whole.select(["text", "audio+tone"]).splits["train"]
    assert {name: mask.tolist() for name, mask in chosen.present.items()} == {
        "text": [False, True],
        "audio": [True, False],
    }


@pytest.mark.parametrize(
    ("modalities", "named"),
    [
        (["audio", "smell"], "['smell']"),
        (["audio+smell"], "['smell']"),
        (["audio", "audio"], "['audio']"),
        (["text+text"], "['text']"),
        (["text", "audio+text"], "['text']"),
        (["text+"], "['']"),
        ([], "[]"),
    ],
)
def test_select_refuses_unknown_and_repeated_names(modalities, named):
    with pytest.raises(ValueError, match=re.escape(f"got {named}.")):
        corpus().select(modalities)


def test_select_refuses_a_string():
    with pytest.raises(TypeError, match=r"modalities must be a sequence .* 'audio'"):
        corpus().select("audio")


def test_conversations_fit_pyg():
    batch = next(iter(DataLoader(corpus().splits["train"], batch_size=2)))
    assert batch.id == ["train0", "train1"]
    assert batch.ptr.tolist() == [0, 3, 5]


def test_the_task_is_that_of_the_labels(tmp_path):
    for y, classes, task in (
        ((0, 1), ("a", "b"), "classification"),
        (((0.0, 1.0), (nan, nan)), ("a", "b"), "multilabel"),
        (((0.0,), (1.0,)), ("a",), "multilabel"),
        ((0.0, nan), (), "regression"),
    ):
        whole = Corpus(classes, {"train": [talk(y=y)]})
        assert whole.task == whole.select(["audio"]).task == task
        save(whole, tmp_path / task)
        assert load(tmp_path / task).task == task
    assert "num_classes=1, task=multilabel" in repr(
        Corpus(("a",), {"train": [talk(y=((1.0,),) * 2)]})
    )


def test_repr_is_short():
    assert repr(corpus()) == (
        "Corpus(train=2, test=1, in_channels={'audio': 3, 'visual': 2, 'text': 4}, num_classes=2)"
    )


@pytest.mark.parametrize(
    ("classes", "splits", "message"),
    [
        (("a", "a"), {"train": [talk()]}, "classes must be unique, but got a, a"),
        (("a", "b"), {"test": [talk()]}, r"splits must have .* 'train', but got \['test'\]"),
        (("a", "b"), {"train": []}, r"splits must have .* 'train'"),
        (
            ("a", "b"),
            {"train": [talk()], "test": [talk()]},
            "conversation 'talk': must be in one split, once, but is in 'train' and 'test'",
        ),
        (("a", "b"), {"train": [talk(name=None)]}, "string as id, not empty, but got None"),
        (("a", "b"), {"train": [talk(name="")]}, "string as id, not empty, but got ''"),
        (("a", ""), {"train": [talk()]}, "classes must have names, but one is empty"),
        (
            ("a",),
            {"train": [talk()]},
            r"conversation 'talk': labels .* \[0, 1\), .* but utterance 1 ",
        ),
        (("a", "b"), {"train": [talk(y=(-1, 0))]}, "'talk': labels .* utterance 0 has -1"),
        (("a", "b"), {"train": [talk(y=(0.0, 1.0))]}, "'talk': y must be one int64 .*float32"),
        (
            ("a", "b"),
            {"train": [talk(y=((0.0, 1.0), (2.0, nan)))]},
            "'talk': labels must be 0 or 1, or NaN .*, but utterance 1 has 2 for 'a'",
        ),
        (
            ("a", "b"),
            {"train": [talk(y=((0, 1), (1, 1)))]},
            r"'talk': y must be floating \[U, 2\], .* but got torch.int64 of shape \[2, 2\]",
        ),
        (
            ("a", "b", "c"),
            {"train": [talk(y=((0.0, 1.0), (1.0, 1.0)))]},
            r"'talk': y must be floating \[U, 3\], .* but got torch.float32 of shape \[2, 2\]",
        ),
        (
            ("a", "b"),
            {"train": [talk(y=((0.0, 1.0), (1.0, 1.0)))], "test": [talk("other")]},
            "'other': y must be labels for multilabel, as in conversation 'talk', but is for clas"
            r".* without labels, it is torch.full\(\[U, K\], torch.nan\)",
        ),
        (
            ("a", "b"),
            {"train": [talk()], "test": [talk("other", y=((0.0, 1.0), (1.0, 1.0)))]},
            "'other': y must be labels for classification, as in conversation 'talk', but is for m",
        ),
        ((), {"train": [talk(y=((0.0, 1.0), (1.0, 1.0)))]}, "'talk': y must be one floating score"),
        (
            ("a", "b"),
            {"train": [talk()], "dev": [talk("other", audio=torch.zeros(2, 4))]},
            "conversation 'other': features must .* {'audio': 3} .* got {'audio': 4}",
        ),
        (
            ("a", "b"),
            {
                "train": [talk(audio=torch.zeros(2, 1), text=torch.zeros(2, 1))],
                "dev": [talk("other", text=torch.zeros(2, 1), audio=torch.zeros(2, 1))],
            },
            "conversation 'other': features must have the modalities",
        ),
        (
            ("a", "b"),
            {"train": [talk(score=torch.zeros(2))], "dev": [talk("other")]},
            "'other': all conversations or none must have a score, but only one of 'talk' and",
        ),
        (
            ("a", "b"),
            {"train": [talk()], "dev": [talk("other", score=torch.zeros(2))]},
            "'other': all conversations or none must have a score, but only one of 'talk' and",
        ),
        (
            ("a", "b"),
            {"train": [talk(score=torch.tensor([1, 2]))]},
            "'talk': score must be of a floating dtype, but got torch.int64",
        ),
        (
            ("a", "b"),
            {"train": [talk(score=torch.zeros(3))]},
            r"'talk': score must have shape \[2\], but got \[3\]",
        ),
        (
            ("a", "b"),
            {"train": [talk(score=[0.0, 1.0])]},
            "'talk': score must be a tensor, but got list",
        ),
    ],
)
def test_an_inconsistent_corpus_is_refused(classes, splits, message):
    with pytest.raises(ValueError, match=message):
        Corpus(classes, splits)


def test_every_inconsistency_is_found():
    splits = {"train": [talk(name=None), talk(y=(0.0, 1.0))], "test": [talk(y=(0, 9))]}
    found = [(each.conversation, each.field) for each in inconsistencies(("a", "a"), splits)]
    assert found == [
        (None, "classes"),
        (None, "id"),
        ("talk", "y"),
        ("talk", "id"),
        ("talk", "y"),
    ]


def test_classes_may_be_of_an_array():
    corpus = Corpus(np.array(["a", "b"]), {"train": [talk()]})
    assert corpus == Corpus(("a", "b"), {"train": corpus.splits["train"]})
    assert [type(name) for name in corpus.classes] == [str, str]


def test_a_corpus_of_the_wrong_kind_is_refused():
    with pytest.raises(TypeError, match="^classes must be a sequence of names, but got 'ab'"):
        Corpus("ab", {"train": [talk()]})
    with pytest.raises(TypeError, match="^classes must be a sequence of names, but got {'a'}"):
        Corpus({"a"}, {"train": [talk(y=(0, 0))]})
    with pytest.raises(TypeError, match="^classes must be names, strings, but got 1"):
        Corpus(("a", 1), {"train": [talk()]})
    with pytest.raises(TypeError, match="^splits must map names to lists .* but got list"):
        Corpus(("a", "b"), [talk()])
    with pytest.raises(TypeError, match=r"^turns must map ids to sequences, but got \[1, 2\]"):
        Corpus(("a", "b"), {"train": [talk()]}, turns=[1, 2])


def test_scores_of_some_conversations_are_in_no_table(tmp_path):
    plain, scored = Corpus(("a", "b"), {"train": [talk()]}), talk("other", score=torch.zeros(2))
    save(plain, tmp_path / "plain.safetensors")
    splits = {**load(tmp_path / "plain.safetensors").splits, "dev": [scored]}
    with pytest.raises(ValueError, match="all conversations or none must have a score"):
        Corpus(("a", "b"), splits).to_table()
