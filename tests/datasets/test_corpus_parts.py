"""A corpus in other splits, its ids and labels, its fingerprint, and what made its features."""

import dataclasses
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import Conversation
from graphfusion.datasets import Corpus
from tests.datasets.made_corpora import assert_same, bits, corpora, small_corpus


@given(corpora(), st.data())
def test_other_splits_of_the_same_conversations(corpus, data):
    whole = {each.id: each for split in corpus.splits.values() for each in split}
    ids = data.draw(st.permutations(list(whole)))
    cut = data.draw(st.integers(1, len(ids)))
    end = data.draw(st.integers(cut, len(ids)))  # the rest is left out
    again = corpus.with_splits({"train": ids[:cut], "other": ids[cut:end]})
    assert (again.classes, again.task) == (corpus.classes, corpus.task)
    assert again.extractors == corpus.extractors
    assert again.ids("train") == ids[:cut]
    assert again.ids("other") == ids[cut:end]
    for split in again.splits:
        for name, each, y in zip(
            again.ids(split), again.splits[split], again.labels(split), strict=True
        ):
            assert bits(each) == bits(whole[name])
            assert torch.equal(y.nan_to_num(-1), whole[name].y.nan_to_num(-1))
    before = {split: corpus.ids(split) for split in corpus.splits}
    assert_same(again.with_splits(before) if end == len(ids) else corpus, corpus)


@pytest.mark.parametrize(
    ("splits", "error", "message"),
    [
        (
            {"train": ["one", "four"]},
            ValueError,
            r"conversations of the corpus, but got \['four'\]",
        ),
        ({"train": ["one"], "dev": ["one"]}, ValueError, r"once, but got \['one'\] twice"),
        ({"train": ["one", "one"]}, ValueError, r"once, but got \['one'\] twice"),
        ({"dev": ["one"]}, ValueError, r"splits must have conversations in 'train'"),
        ({"train": "one"}, TypeError, "splits must map names to sequences of ids"),
        (["one"], TypeError, "splits must map names to sequences of ids"),
    ],
)
def test_other_splits_that_cannot_be(splits, error, message):
    with pytest.raises(error, match=message):
        small_corpus().with_splits(splits)


def test_a_split_that_there_is_not():
    for ask in (small_corpus().ids, small_corpus().labels):
        with pytest.raises(KeyError, match="dev"):
            ask("dev")


def copied():
    return small_corpus()


def renamed():
    corpus = small_corpus()
    corpus.splits["train"][0].id = "first"
    return corpus


def other(field, change):
    corpus = small_corpus()
    conversation = corpus.splits["train"][1]
    change(conversation[field])
    return corpus


def retyped():
    corpus = small_corpus()
    for conversations in corpus.splits.values():
        for conversation in conversations:
            conversation.features["audio"] = (
                conversation.features["audio"].view(torch.int32).view(torch.float32)
            )
            conversation.features["text"] = conversation.features["text"].double()
    return corpus


def test_a_fingerprint_is_that_of_everything():
    corpus = small_corpus()
    conversations = corpus.splits["train"]
    made = [
        copied(),
        renamed(),
        other("y", lambda y: y.fill_(1)),
        other("speaker", lambda speaker: speaker.fill_(0)),
        other("features", lambda features: features["text"].fill_(0.25)),
        other("present", lambda present: present["text"].fill_(False)),
        retyped(),
        Corpus(("angry", "calm"), corpus.splits),
        Corpus(corpus.classes, {"train": conversations[::-1], "test": corpus.splits["test"]}),
        Corpus(corpus.classes, {"train": conversations, "dev": corpus.splits["test"]}),
        Corpus(corpus.classes, dict(reversed(corpus.splits.items()))),
        Corpus(corpus.classes, {"train": [*conversations, *corpus.splits["test"]], "test": []}),
        corpus.select(["audio", "text"]),
        corpus.select(["text"]),
    ]
    found = [each.fingerprint for each in made]
    assert len(set(found)) == len(found)
    assert found[0] == corpus.fingerprint
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)
    assert dataclasses.replace(corpus, extractors={"text": {}}).fingerprint == corpus.fingerprint


EXTRACTORS = {"text": {"model": "a"}, "audio": {"model": "b", "options": {"rate": [16_000, None]}}}


def test_extractors_follow_their_modalities():
    corpus = dataclasses.replace(small_corpus(), extractors=EXTRACTORS)
    assert corpus.select(["audio"]).extractors == {"audio": EXTRACTORS["audio"]}
    assert corpus.select(["audio+text"]).extractors == {"audio": EXTRACTORS}
    half = dataclasses.replace(corpus, extractors={"text": {"model": "a"}})
    assert half.select(["audio+text"]).extractors == {"audio": {"text": {"model": "a"}}}
    assert half.select(["audio"]).extractors == {}


def test_extractors_are_the_corpus_s_own():
    given_ = {"text": {"layers": [1]}}
    corpus = dataclasses.replace(small_corpus(), extractors=given_)
    given_["text"]["layers"].append(2)
    assert corpus.extractors == {"text": {"layers": [1]}}


@pytest.mark.parametrize(
    ("extractors", "error", "message"),
    [
        ({"smell": {}}, ValueError, r"extractors must name some of .*, but got \['smell'\]"),
        ({"text": "wav2vec"}, TypeError, "extractors must map modalities to objects"),
        ([], TypeError, "extractors must map modalities to objects"),
        (
            {"text": {"model": object()}},
            TypeError,
            "representable in JSON, but: Object of type object",
        ),
        ({"text": {"rate": float("nan")}}, TypeError, "representable in JSON, but"),
        ({"text": {"options": {1: 2}}}, TypeError, "string keys only"),
    ],
)
def test_extractors_that_no_file_could_keep(extractors, error, message):
    with pytest.raises(error, match=message):
        Corpus(("calm", "angry"), small_corpus().splits, extractors)


def test_scores_are_labels_too():
    conversation = Conversation(
        {"text": torch.zeros(2, 1)},
        torch.tensor([0, 1]),
        torch.tensor([0.5, torch.nan]),
        id="conversation",
    )
    (y,) = Corpus((), {"train": [conversation]}).labels("train")
    assert y[0] == 0.5
    assert y[1].isnan()
