from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise, product
from math import exp, pi, prod, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import Conversation
from graphfusion.datasets import SyntheticProcess, synthetic
from graphfusion.testing.strategies import seeds

MODALITIES = ("text", "audio", "visual")
SUBSETS = [names for n in (1, 2, 3) for names in combinations(MODALITIES, n)]
CLASSES = ("calm sad", "calm glad", "stirred sad", "stirred glad")
PROCESS = SyntheticProcess()

strengths = st.floats(0, 2)
processes = st.builds(
    SyntheticProcess,
    st.sampled_from([0.0, 0.3, 0.85, 1.0]),
    *[strengths] * 5,
)


def first(process, seed=0):
    return process.sample(1, 0, seed).splits["train"][0]


def part(conversation, size=None, modalities=MODALITIES, present=None):
    """A conversation's first utterances, and what is left of it where some of it is absent."""
    size = size or len(conversation.y)
    features = {name: conversation.features[name][:size].clone() for name in modalities}
    if present is not None:
        for value, here in zip(features.values(), present.unbind(1), strict=True):
            value[~here] = torch.nan
    mask = None if present is None else dict(zip(features, present.unbind(1), strict=True))
    return Conversation(features, conversation.speaker[:size], conversation.y[:size], mask)


def density(process, conversation, u, name):
    """The density of an utterance's features, given the name of its emotion, by the table."""
    arousal = 1 if "stirred" in name else -1
    valence = 1 if "glad" in name else -1
    x = {
        modality: conversation.features[modality][u].tolist()
        for modality in conversation.features
        if conversation.present[modality][u]
    }
    alone = {
        "text": [process.text * valence, process.text * valence],
        "audio": [process.audio * arousal, process.audio * arousal],
        "visual": [process.visual * arousal, process.visual * valence],
    }
    result = prod(normal(value[i], alone[m][i]) for m, value in x.items() for i in (0, 1))
    for value in list(x.values())[:1]:  # all have the same numbers, which therefore count once
        result *= normal(value[2], process.redundant * arousal)
        result *= normal(value[3], process.redundant * valence)
    together = 0.0
    for coin in (-1, 1):
        mean = {"text": coin * valence, "audio": coin, "visual": 0}
        together += prod(normal(value[4], process.synergy * mean[m]) for m, value in x.items()) / 2
    return result * together


def normal(value, mean):
    return exp(-((value - mean) ** 2) / 2) / sqrt(2 * pi)


def enumerated(process, conversation):
    """The posterior, from the probabilities of all 4^U ways in which the emotions can go."""
    size = len(conversation.speaker)
    densities = [[density(process, conversation, u, name) for name in CLASSES] for u in range(size)]
    speaker = conversation.speaker.tolist()
    marginal = np.zeros((size, 4))
    for emotions in product(range(4), repeat=size):
        probability = 1.0
        for who in set(speaker):
            theirs = [emotions[u] for u in range(size) if speaker[u] == who]
            probability /= 4
            for before, now in pairwise(theirs):
                drawn = (1 - process.persistence) / 4
                probability *= drawn + (process.persistence if before == now else 0)
        probability *= prod(densities[u][k] for u, k in enumerate(emotions))
        marginal[range(size), emotions] += probability
    return torch.from_numpy(marginal / marginal.sum(1, keepdims=True))


@given(
    processes,
    seeds,
    st.integers(1, 5),
    st.sampled_from(SUBSETS),
    st.sampled_from([None, 0.2, 0.6]),
)
def test_the_posterior_is_what_enumeration_says(process, seed, size, modalities, share):
    present = None
    if share is not None:
        generator = torch.Generator().manual_seed(seed)
        present = torch.rand(size, len(modalities), generator=generator) < share
    conversation = part(first(process, seed), size, modalities, present)
    posterior = process.posterior(conversation)
    assert posterior.dtype == torch.float64
    torch.testing.assert_close(posterior, enumerated(process, conversation), rtol=1e-9, atol=1e-12)
    alone = torch.cat([enumerated(process, single(conversation, u)) for u in range(size)])
    unaware = process.posterior(conversation, history=False)
    torch.testing.assert_close(unaware, alone, rtol=1e-9, atol=1e-12)


def single(conversation, u):
    features = {name: value[u : u + 1] for name, value in conversation.features.items()}
    return Conversation(
        features,
        conversation.speaker[:1] * 0,
        present={name: mask[u : u + 1] for name, mask in conversation.present.items()},
    )


@given(processes, seeds, st.booleans())
def test_the_posterior_is_a_probability_and_mutates_nothing(process, seed, history):
    conversation = first(process, seed)
    before = {name: value.clone() for name, value in conversation.features.items()}
    posterior = process.posterior(conversation, history)
    assert posterior.shape == (len(conversation.y), 4)
    assert (posterior >= 0).all()
    torch.testing.assert_close(posterior.sum(1), torch.ones(len(conversation.y)).double())
    assert all(torch.equal(conversation.features[name], value) for name, value in before.items())


@given(processes, seeds)
def test_redundant_modalities_add_no_information(process, seed):
    # With nothing of its own, video has only what text has, too.
    process = replace(process, visual=0)
    conversation = first(process, seed)
    with_video = process.posterior(part(conversation, modalities=("text", "visual")))
    torch.testing.assert_close(
        with_video, process.posterior(part(conversation, modalities=("text",)))
    )


@given(processes, seeds, st.sampled_from(SUBSETS))
def test_joint_information_is_in_no_single_modality(process, seed, modalities):
    process = replace(process, text=0, audio=0, visual=0, redundant=0, synergy=1.5)
    posterior = process.posterior(part(first(process, seed), modalities=modalities))
    told = bool(((posterior - 0.25).abs() > 1e-9).any())
    assert told == ({"text", "audio"} <= set(modalities))


@given(processes, seeds)
def test_without_persistence_there_is_no_history(process, seed):
    process = replace(process, persistence=0)
    conversation = first(process, seed)
    alone = process.posterior(conversation, history=False)
    torch.testing.assert_close(process.posterior(conversation), alone)


@given(processes, seeds)
def test_with_full_persistence_a_speaker_has_one_emotion(process, seed):
    process = replace(process, persistence=1)
    conversation = first(process, seed)
    posterior = process.posterior(conversation)
    for who in (0, 1):
        theirs = conversation.speaker == who
        assert len(conversation.y[theirs].unique()) == 1
        torch.testing.assert_close(posterior[theirs], posterior[theirs][:1].expand(theirs.sum(), 4))


CONVERSATIONS = PROCESS.sample(400, 0).splits["train"]


# Several tests read what takes seconds to compute: in one process, so that it is computed once.
SHARED = pytest.mark.xdist_group("synthetic")


@cache
def posteriors(process, modalities, history):
    return [
        process.posterior(part(conversation, modalities=modalities), history)
        for conversation in CONVERSATIONS
    ]


@cache
def scores(process, modalities, history):
    """By conversation, how often the most probable emotion is right, and how often it should be."""
    right, expected = [], []
    found = posteriors(process, modalities, history)
    for conversation, posterior in zip(CONVERSATIONS, found, strict=True):
        right.append((posterior.argmax(1) == conversation.y).double().mean())
        expected.append(posterior.amax(1).mean())
    return torch.stack(right), torch.stack(expected)


@SHARED
@pytest.mark.parametrize(
    "modalities",
    [MODALITIES, *(pytest.param(each, marks=pytest.mark.slow) for each in SUBSETS[:-1])],
)
@pytest.mark.parametrize("history", [False, True])
def test_the_best_classifier_is_as_good_as_it_believes(modalities, history):
    right, expected = scores(PROCESS, modalities, history)
    error = (right - expected).std() / len(CONVERSATIONS) ** 0.5
    assert abs((right - expected).mean()) < 4 * error
    assert error < 0.012


@SHARED
def test_the_posterior_is_calibrated():
    posterior = torch.cat(posteriors(PROCESS, MODALITIES, True))
    right = torch.nn.functional.one_hot(
        torch.cat([conversation.y for conversation in CONVERSATIONS]), 4
    ).double()
    for low in torch.arange(0, 1, 0.1):
        here = (posterior >= low) & (posterior < low + 0.1)
        assert here.sum() > 200
        assert abs(posterior[here].mean() - right[here].mean()) < 0.05


@SHARED
@pytest.mark.parametrize(
    ("modalities", "synergy", "best", "alone"),
    [
        (MODALITIES, 1.0, 0.915, 0.726),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (
                (("text",), 1.0, 0.695, 0.505),
                (("audio",), 1.0, 0.694, 0.505),
                (("visual",), 1.0, 0.649, 0.442),
                (("text", "visual"), 1.0, 0.765, 0.551),
                (("audio", "visual"), 1.0, 0.765, 0.551),
                (("text", "audio"), 1.0, 0.906, 0.708),
            )
        ),
        (MODALITIES, 0.0, 0.896, 0.688),  # whoever does not know of it never combines them
    ],
)
def test_the_best_scores_are_those_of_the_docstring(modalities, synergy, best, alone):
    process = replace(PROCESS, synergy=synergy)
    assert abs(scores(process, modalities, True)[1].mean() - best) < 0.015
    assert abs(scores(process, modalities, False)[1].mean() - alone) < 0.01


@pytest.mark.slow
def test_more_information_does_not_lower_the_score():
    best = {
        (names, history): scores(PROCESS, names, history)[1].mean()
        for names in SUBSETS
        for history in (False, True)
    }
    for names in SUBSETS:
        assert best[names, True] > best[names, False] + 0.1
        for more in SUBSETS:
            if set(names) < set(more):
                for history in (False, True):
                    assert best[more, history] > best[names, history]
    for strength in ("text", "audio", "visual", "redundant", "synergy"):
        weaker = replace(PROCESS, **{strength: 0})
        # Without the channel's parameter, its information cannot be used.
        expected = scores(weaker, MODALITIES, False)[1].mean()
        assert expected < best[MODALITIES, False] - 0.002


def test_the_emotion_needs_two_modalities_and_the_speakers_history():
    y = torch.cat([conversation.y for conversation in CONVERSATIONS])
    text = (
        torch.cat([conversation.features["text"] for conversation in CONVERSATIONS])[:, :2].sum(1)
        > 0
    )
    audio = (
        torch.cat([conversation.features["audio"] for conversation in CONVERSATIONS])[:, :2].sum(1)
        > 0
    )
    # Text determines one half of the emotion, and audio the other.
    assert (text == y % 2).float().mean() > 0.75
    assert (audio == y // 2).float().mean() > 0.75
    assert abs((text == y // 2).float().mean() - 0.5) < 0.05
    # A speaker keeps an emotion with the persistence, and may draw the same again; from the other
    # speaker there is nothing to learn.
    own, others = [], []
    for conversation in CONVERSATIONS:
        for who in (0, 1):
            theirs = conversation.y[conversation.speaker == who]
            own.append(theirs[1:] == theirs[:-1])
        changes = conversation.speaker[1:] != conversation.speaker[:-1]
        others.append((conversation.y[1:] == conversation.y[:-1])[changes])
    assert abs(torch.cat(own).float().mean() - (0.85 + 0.15 / 4)) < 0.02
    assert abs(torch.cat(others).float().mean() - 0.25) < 0.04


def flat(conversations):
    return [
        (
            conversation.id,
            conversation.speaker.tolist(),
            conversation.y.tolist(),
            [v.tolist() for v in conversation.features.values()],
        )
        for conversation in conversations
    ]


@given(processes, seeds)
def test_one_seed_is_one_corpus(process, seed):
    small = process.sample(2, 1, seed)
    torch.manual_seed(1)
    np.random.seed(1)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        large = process.sample(3, 2, seed)
    finally:
        torch.set_default_dtype(default)
    assert large.in_channels == {"text": 20, "audio": 16, "visual": 8}
    for split, conversations in small.splits.items():
        assert flat(conversations) == flat(large.splits[split])[: len(conversations)]
        assert {
            v.dtype for conversation in large.splits[split] for v in conversation.features.values()
        } == {torch.float32}
    together = flat([*large.splits["train"], *large.splits["test"]])
    assert len({str(features) for *_, features in together}) == 5
    assert flat(process.sample(1, 0, seed + 1).splits["train"]) != together[:1]


def test_the_default_corpus_stays_what_it_is():
    corpus = synthetic()
    assert flat(corpus.splits["train"]) == flat(PROCESS.sample().splits["train"])
    assert repr(corpus) == (
        "Corpus(train=96, test=32, in_channels={'text': 20, 'audio': 16, 'visual': 8}, "
        "num_classes=4)"
    )
    assert corpus.classes == CLASSES
    conversation = corpus.splits["train"][0]
    assert conversation.speaker.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1]
    assert conversation.y.tolist() == [3, 3, 0, 0, 3, 3, 0, 0, 0, 3, 0, 3]
    expected = torch.tensor([-0.3144, 0.3901, -0.3523, -0.3833, 0.3457, 0.8741, -1.6795, 1.6053])
    torch.testing.assert_close(conversation.features["visual"][1], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: SyntheticProcess(1.5),
            ValueError,
            r"persistence must be .* \[0, 1\], but got 1.5",
        ),
        (lambda: SyntheticProcess(synergy=-1), ValueError, "synergy must be .* 0, but got -1"),
        (lambda: SyntheticProcess(text=float("inf")), ValueError, "text must be finite"),
        (lambda: SyntheticProcess(audio="loud"), TypeError, "audio must be a number, .* 'loud'"),
        (lambda: PROCESS.sample(0), ValueError, "num_train must be at least 1, but got 0"),
        (lambda: PROCESS.sample(1, -1), ValueError, "num_test must be at least 0, but got -1"),
        (lambda: PROCESS.sample(1, 0, -1), ValueError, "seed must be at least 0, but got -1"),
        (lambda: PROCESS.sample(1, 0, 0.5), TypeError, "seed must be an integer, but got 0.5"),
        (
            lambda: PROCESS.posterior(PROCESS.sample(1).select(["text+audio"]).splits["train"][0]),
            ValueError,
            r"features must be among {'text': 20, .*}, but got text \(36\)",
        ),
        (
            lambda: PROCESS.posterior(
                Conversation({"pose": torch.zeros(1, 20)}, torch.tensor([0]))
            ),
            ValueError,
            r"but got pose \(20\)",
        ),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
