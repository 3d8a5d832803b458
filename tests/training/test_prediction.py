"""Predictions as a table, and their scores."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphfusion import MMDFN, Conversation
from graphfusion.datasets import Corpus, save
from graphfusion.training import Recipe, Run, evaluate, fit, load_model, predict


@given(st.integers(1, 7))
def test_predictions_do_not_depend_on_the_batch(runs: list[Run], corpus: Corpus, size: int) -> None:
    model = runs[0].model()
    whole = predict(model, corpus, batch_size=100)
    parts = predict(model, corpus, batch_size=size)
    assert parts.drop(columns=["x", "y", "z"]).equals(whole.drop(columns=["x", "y", "z"]))
    assert parts[["x", "y", "z"]].to_numpy() == pytest.approx(whole[["x", "y", "z"]].to_numpy())


def test_a_row_for_every_utterance(runs: list[Run], corpus: Corpus, tmp_path: Path) -> None:
    model = runs[0].model()
    table = predict(model, corpus)
    expected = [
        (each.id, u)
        for conversations in corpus.splits.values()
        for each in conversations
        for u in range(len(each.y))
    ]
    assert list(zip(table["conversation"], table["utterance"], strict=True)) == expected
    path = tmp_path / "corpus.safetensors"
    save(corpus, path)
    assert predict(model, path).equals(table)
    assert predict(model, str(path), "test").equals(predict(model, corpus, "test"))
    bare = [Conversation(each.features, each.speaker) for each in corpus.splits["test"]]
    assert list(predict(model, bare)["conversation"].unique()) == [str(n) for n in range(6)]


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.sampled_from(["number", "float", "time", "zone"]),
    st.integers(0, 2**31),
)
def test_a_prediction_finds_its_row_of_the_table_again(
    lengths: list[int], kind: str, seed: int
) -> None:
    """Rows and conversations come in any order, and turns are any numbers or times."""
    rng = np.random.default_rng(seed)
    size = sum(lengths)
    turn = pd.Series(rng.permutation(10 * size)[:size] - 5)
    if kind == "float":
        turn = turn / 4
    elif kind != "number":
        zone = "UTC" if kind == "zone" else None
        turn = pd.Series(pd.Timestamp(2020, 1, 1, tz=zone) + pd.to_timedelta(turn, unit="h"))
    frame = pd.DataFrame({"conversation": np.repeat(np.arange(len(lengths)), lengths).astype(str)})
    frame["turn"], frame["text"] = turn, list(rng.normal(size=(size, 2)).astype("f4"))
    frame = frame.sample(frac=1, random_state=seed)
    corpus = Corpus.from_table(frame, ["text"], speaker=None, label=None, split=None)
    torch.manual_seed(0)
    model = MMDFN({"text": 2}, 2, class_names=["a", "b"], num_layers=1, channels=2).eval()
    found = frame.merge(predict(model, corpus), on=["conversation", "turn"], validate="1:1")
    assert len(found) == size
    for each in corpus.splits["train"]:
        mine = found[found["conversation"] == each.id].sort_values("turn")
        assert mine["utterance"].tolist() == list(range(len(mine)))
        assert np.array_equal(np.stack(mine["text"].tolist()), each.features["text"].numpy())
    ids = corpus.ids("train")
    for other in (corpus.select(["text"]), corpus.with_splits({"train": ids[::-1]})):
        assert set(predict(model, other)["turn"]) == set(turn)
    again = Corpus(corpus.classes, corpus.splits)
    assert "turn" not in predict(model, again)


def test_modalities_and_classes_go_by_name(runs: list[Run], corpus: Corpus) -> None:
    model = runs[0].model()
    scores = evaluate(model, corpus)
    assert scores == pytest.approx(runs[0].result["strict"])
    assert evaluate(model, corpus.select(["audio", "text"])) == scores
    order = torch.tensor([2, 0, 1])  # of x, y, z in z, x, y
    place = order.argsort()
    splits = {
        split: [
            Conversation(each.features, each.speaker, place[each.y], id=each.id)
            for each in conversations
        ]
        for split, conversations in corpus.splits.items()
    }
    moved = Corpus(("z", "x", "y"), splits)
    assert evaluate(model, moved) == scores
    other = Corpus(("x", "y", "w"), corpus.splits)
    with pytest.raises(ValueError, match=r"the model's classes, \['x', 'y', 'z'\], but has"):
        evaluate(model, other)


@given(st.permutations(["f0", "loudness", "jitter"]))
def test_columns_of_a_modality_are_matched_by_name(order: list[str]) -> None:
    frame = pd.DataFrame(np.eye(3), columns=["f0", "loudness", "jitter"]).assign(conversation="a")
    roles = {"turn": None, "speaker": None, "label": None, "split": None}
    trained = Corpus.from_table(frame, {"audio": ["f0", "loudness", "jitter"]}, **roles)
    model = MMDFN({"audio": 3}, 2, num_layers=1, channels=2, context=[]).eval()
    model.extractors = trained.extractors
    other = Corpus.from_table(frame, {"audio": order}, **roles)
    if order == ["f0", "loudness", "jitter"]:
        assert predict(model, other).equals(predict(model, trained))
        return
    place = next(
        n for n, name in enumerate(trained.extractors["audio"]["columns"]) if name != order[n]
    )
    with pytest.raises(ValueError, match=rf"made as in training, but are not \(columns\[{place}\]"):
        predict(model, other)
    assert len(predict(model, other.splits["train"])) == 3  # of conversations, nothing is known


def test_features_of_other_extractors_are_refused(
    corpus: Corpus, folder: Path, small: Callable[..., Recipe]
) -> None:
    def made(**changes: object) -> Corpus:
        one = {"extractor": "A", "sha256": "a", "model": "m", "versions": {"a": "1"}, **changes}
        return Corpus(corpus.classes, corpus.splits, {"text": one, "audio": one})

    recipe = small()
    fit(recipe.build(made()), made(), folder, recipe.settings, recipe=recipe)
    model = load_model(folder / "model")
    assert model.extractors == made().extractors
    scores = evaluate(model, made())
    with pytest.warns(UserWarning, match="the corpus does not have how: .*'extractor': 'A'"):
        assert evaluate(model, corpus) == scores
    assert evaluate(model, made(model="moved")) == scores  # the same weights
    for changes, shown in (
        ({"sha256": "b"}, "sha256: 'a' then, 'b' now"),
        ({"extractor": "B"}, "extractor: 'A' then, 'B' now"),
        ({"pooling": "max"}, "pooling: None then, 'max' now"),
    ):
        with pytest.raises(ValueError, match=shown):
            evaluate(model, made(**changes))
    with pytest.warns(UserWarning, match=r"package versions of training, {'a': '1'}, but .*'2'"):
        assert evaluate(model, made(versions={"a": "2"})) == scores
    joined = ["text+audio"]
    model = MMDFN({"text": 9}, 3, num_layers=1, channels=2).eval()
    model.extractors = made().select(joined).extractors
    with pytest.raises(ValueError, match="features of 'text' must be made as in training"):
        predict(model, made(sha256="b").select(joined))
    with pytest.warns(UserWarning, match="package versions"):
        predict(model, made(versions={"a": "2"}).select(joined))
    (folder / "model/data.json").unlink()  # the model's own files have them
    assert MMDFN.from_pretrained(folder / "model").extractors == made().extractors


def test_without_labels_there_is_no_score(runs: list[Run], corpus: Corpus) -> None:
    bare = [Conversation(each.features, each.speaker) for each in corpus.splits["test"]]
    assert all(math.isnan(score) for score in evaluate(runs[0].model(), bare).values())


def test_several_labels_and_scores() -> None:
    conversation = Conversation({"text": torch.randn(3, 2)}, torch.tensor([0, 1, 0]))
    model = MMDFN({"text": 2}, 2, class_names=["a", "b"], task="multilabel", num_layers=1)
    for row in predict(model, [conversation]).to_dict("records"):
        assert row["predicted"] == "+".join(name for name in "ab" if row[name] > 0.5)
    model = MMDFN({"text": 2}, 2, class_names=["a", "b"], task="regression", num_layers=1)
    assert list(predict(model, [conversation])) == ["conversation", "utterance", "a", "b"]


def test_what_cannot_be_predicted(runs: list[Run], corpus: Corpus) -> None:
    model = runs[0].model()
    with pytest.raises(ValueError, match=r"split must be one of .* but got 'dev'"):
        predict(model, corpus, "dev")
    with pytest.raises(ValueError, match=r"the model's modalities .* but lacks \['audio'\]"):
        predict(model, corpus.select(["text"]))
    with pytest.raises(TypeError, match="but got DataFrame; Corpus.from_table takes tables"):
        predict(model, pd.DataFrame({"text": [1.0]}))
    bare = [
        Conversation(each.features, each.speaker, torch.full([len(each.y)], torch.nan), id=each.id)
        for each in corpus.splits["test"]
    ]
    with pytest.raises(ValueError, match="must have labels to evaluate a model, but has none"):
        evaluate(model, Corpus((), {"train": bare}), split="train")
    model = MMDFN({"text": 2}, 2, class_names=["label", "b"], num_layers=1)
    with pytest.raises(ValueError, match=r"not be those of other columns, but got \['label'\]"):
        predict(model, [])


def test_the_model_is_left_as_it_was(runs: list[Run], corpus: Corpus) -> None:
    model = runs[0].model().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    predict(model, corpus)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_model_that_diverged_is_refused(corpus: Corpus, small: Callable[..., Recipe]) -> None:
    model = small().build(corpus)
    with torch.no_grad():
        next(iter(model.head.parameters())).fill_(torch.nan)
    for use in (predict, evaluate):
        with pytest.raises(
            ValueError, match="finite predictions, but those of '.*' are not.* diverged"
        ):
            use(model, corpus, "test")


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=5), st.integers(1, 6))
def test_only_some_conversations_may_have_an_id_or_more(
    runs: list[Run], corpus: Corpus, has: list[tuple[bool, bool]], size: int
) -> None:
    made = []
    for (named, scored), each in zip(has, corpus.splits["test"], strict=False):
        further = {"id": each.id} if named else {}
        further |= {"score": torch.ones(len(each.y))} if scored else {}
        made.append(Conversation(each.features, each.speaker, each.y, **further))
    names = [each.id if "id" in each else str(number) for number, each in enumerate(made)]
    found = predict(runs[0].model(), made, batch_size=size)
    assert list(found["conversation"].unique()) == names
    evaluate(runs[0].model(), made, batch_size=size)


def test_a_number_is_no_id_of_another(runs: list[Run], corpus: Corpus) -> None:
    one, other = (Conversation(x.features, x.speaker) for x in corpus.splits["test"][:2])
    one.id = "1"
    for size in (1, 2):
        with pytest.raises(ValueError, match=r"not the numbers of those without, but \['1'\] are"):
            predict(runs[0].model(), [one, other], batch_size=size)


def test_something_is_predicted(runs: list[Run], corpus: Corpus) -> None:
    model = runs[0].model()
    with pytest.raises(ValueError, match="source must have conversations to predict, but has none"):
        predict(model, [])
    empty = Corpus(corpus.classes, {"train": corpus.splits["train"], "test": []})
    with pytest.raises(ValueError, match="split 'test' must have conversations to predict"):
        predict(model, empty, "test")


@pytest.mark.parametrize(
    ("task", "y", "message"),
    [
        ("classification", [0, 1, 2], r"'x': labels must be in \[0, 2\), .* utterance 2 has 2"),
        ("classification", [0, 1, -1], "utterance 2 has -1"),
        ("classification", [0.0, 1.0, 1.0], "y must be one int64 per utterance"),
        ("multilabel", [0, 1, 1], "y must be floating .U, 2."),
        ("multilabel", [[0.0, 1.0], [2.0, 1.0], [0.0, 0.0]], "utterance 1 has 2 for 'a'"),
        ("regression", [0, 1, 1], "y must be one floating score"),
    ],
)
def test_labels_are_the_models(task: str, y: list[object], message: str) -> None:
    names = ["score"] if task == "regression" else ["a", "b"]
    model = MMDFN({"text": 2}, len(names), class_names=names, task=task, num_layers=1)
    features, speaker = {"text": torch.randn(3, 2)}, torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match=message):
        evaluate(model, [Conversation(features, speaker, torch.tensor(y), id="x")])
