"""The parts of an experiment: what each process sees, recipes, folds, tables and comparisons."""

import csv
import json
import math
import re
from dataclasses import replace
from itertools import chain, pairwise, product
from pathlib import Path
from types import SimpleNamespace

import cross_validate
import missing_modalities
import numpy as np
import pytest
import results
import search
import torch
from experiment.arguments import parse_settings
from experiment.batches import batches, draw_seed
from experiment.data import fingerprint, held_out, read, subsets
from experiment.models import make_model, zero_filled
from experiment.recipes import ABLATIONS, BASELINES, MODELS, recipe_of
from experiment.recognizer import Recognizer
from experiment.report import cell, compare, majority, markdown, show
from experiment.training import AtomicCheckpoints, Run, train
from hypothesis import assume, given
from hypothesis import strategies as st
from torch_geometric.data import Batch
from torchmetrics.functional.classification import multiclass_f1_score

from graphfusion import MMDFN, Conversation, ConversationModel
from graphfusion.datasets import Corpus, load, save
from tests.examples.runs import weights, write_npz

counts = st.integers(1, 60)


@given(counts, st.integers(1, 20), st.integers(0, 2**31), st.integers(0, 50))
def test_an_epoch_is_every_conversation_once(size: int, most: int, seed: int, epoch: int) -> None:
    steps = batches(size, most, seed, epoch)
    assert sorted(chain(*steps)) == list(range(size))
    lengths = [len(step) for step in steps]
    assert max(lengths) <= most
    assert max(lengths) - min(lengths) <= 1
    assert steps == batches(size, most, seed, epoch)


@given(counts, st.integers(2, 20), st.integers(1, 4), st.integers(0, 9))
def test_processes_share_each_step(size: int, most: int, world: int, seed: int) -> None:
    whole = batches(size, most, seed, 0)
    if min(map(len, whole)) < world:
        with pytest.raises(ValueError, match=f"for each of the {world} processes"):
            batches(size, most, seed, 0, 0, world)
        return
    shares = [batches(size, most, seed, 0, rank, world) for rank in range(world)]
    for step, *parts in zip(whole, *shares, strict=True):
        assert sorted(chain(*parts)) == sorted(step)
        assert all(parts)


def test_seeds_and_epochs_differ() -> None:
    assert batches(30, 8, 0, 0) != batches(30, 8, 0, 1)
    assert batches(30, 8, 0, 0) != batches(30, 8, 1, 0)
    keys = [(seed, epoch, step) for seed in range(5) for epoch in range(5) for step in range(5)]
    assert len({draw_seed(*each) for each in keys}) == len(keys)


def test_settings() -> None:
    words = ["lr=0.1", "past=null", "gated=false", 'context=["a"]', "name=word", "empty="]
    expected = {"lr": 0.1, "past": None, "gated": False, "context": ["a"], "name": "word"}
    assert parse_settings(words) == expected | {"empty": ""}
    words = ["lr=1e-3", "past=None", "gated=False", "context=('a',)", "name='word'", "odd=a b("]
    expected = {"lr": 0.001, "past": None, "gated": False, "context": ["a"], "name": "word"}
    assert parse_settings(words) == expected | {"odd": "a b("}
    assert parse_settings(["a={1}", "b={[]: 1}"]) == {"a": "{1}", "b": "{[]: 1}"}  # not of JSON
    with pytest.raises(ValueError, match=re.escape("must be NAME=VALUE, but got '=1'")):
        parse_settings(["=1"])


def test_recipes() -> None:
    recipe = recipe_of("mmdfn", "meld", {"lr": 1.0, "num_layers": 3})
    assert (recipe.lr, recipe.gamma, recipe.model) == (1.0, 0.5, {"num_layers": 3})
    assert recipe_of("mmdfn", "meld", {}).lr == 5e-4  # and what is published stays
    # An ablation is one whatever else is asked for.
    assert recipe_of("no_graph", "iemocap", {"past": 5}).model["past"] == 0
    # Training is any model's, MM-DFN's arguments are its own.
    settings = {
        "modality_dropout": 0.5,
        "past": 5,
        "speaker_normalized": ["audio"],
        "utterance_channels": 9,
    }
    assert recipe_of("bigru", "iemocap", settings) == replace(
        BASELINES["bigru"],
        modality_dropout=0.5,
        model={"speaker_normalized": ["audio"], "utterance_channels": 9},
    )
    json.dumps(recipe.as_dict())


@pytest.mark.parametrize("model", ["mmdfn", "bigru"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (-0.1, ValueError, "must be finite and .*, but got -0.1"),
        (math.nan, ValueError, "must be finite .* but got nan"),
        ("often", TypeError, "must be a number, but got 'often'"),
        (True, TypeError, "must be a number, but got True"),
    ],
)
@pytest.mark.parametrize(
    "setting", ["modality_dropout", "drop_features", "class_weights", "lr", "weight_decay", "gamma"]
)
def test_bad_recipes(
    model: str, setting: str, value: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"{setting} {message}"):
        recipe_of(model, "iemocap", {setting: value})


@pytest.mark.parametrize("setting", ["modality_dropout", "drop_features"])
def test_nothing_is_more_probable_than_1(setting: str) -> None:
    with pytest.raises(ValueError, match=rf"{setting} must be finite and in \[0, 1\], but got 1.1"):
        recipe_of("mmdfn", "iemocap", {setting: 1.1})


def recognizer_of(model: str, settings: dict[str, object]) -> Recognizer:
    """An untrained one for `ten_talks`."""
    settings |= {"num_layers": 2} if model in ABLATIONS else {}
    recipe = recipe_of(model, "meld", settings).as_dict()
    return Recognizer(model, "meld", {"text": 4, "audio": 3}, ["x", "y", "z"], recipe, 0)


@given(counts=st.lists(st.integers(0, 9), min_size=3, max_size=3), power=st.floats(0, 2))
def test_classes_weigh_a_power_of_their_rarity(counts: list[int], power: float) -> None:
    assume(sum(counts))
    y = torch.arange(3).repeat_interleave(torch.tensor(counts))
    features = {"text": torch.randn(len(y), 4), "audio": torch.randn(len(y), 3)}
    recognizer = recognizer_of("logistic", {"class_weights": power})
    recognizer.fit_statistics([Conversation(features, torch.zeros_like(y), y)])
    expected = [(len(y) / max(count, 1)) ** power for count in counts]
    torch.testing.assert_close(recognizer.class_weights, torch.tensor(expected))


@pytest.mark.parametrize("model", MODELS)
def test_features_are_dropped_in_training_alone(model: str) -> None:
    torch.manual_seed(0)
    batch = ten_talks()
    recognizer = recognizer_of(model, {"drop_features": 0.3})
    recognizer.fit_statistics(batch.to_data_list())
    standardize = recognizer.model.standardize
    for name, value in standardize(batch.features).items():
        dropped = value == 0
        assert 0.2 < dropped.float().mean() < 0.4
        expected = (batch.features[name] - batch.features[name].mean(0)) / (1 - 0.3)
        expected = expected / batch.features[name].std(0, correction=0)
        torch.testing.assert_close(value, expected.where(~dropped, 0))
    assert not torch.equal(recognizer(batch), recognizer(batch))
    recognizer.eval()
    assert not any(value.eq(0).any() for value in standardize(batch.features).values())
    assert torch.equal(recognizer(batch), recognizer(batch))


def trained_on(batch: Batch, model: str, p: float, *, epoch: int = 0, step: int = 0, rank: int = 0):
    """Which modalities a training step saw, and its loss."""
    settings = {"modality_dropout": p} | ({"num_layers": 2} if model in ABLATIONS else {})
    recipe = recipe_of(model, "iemocap", settings)
    torch.manual_seed(0)
    recognizer = Recognizer(
        model, "iemocap", {"text": 4, "audio": 3}, ["x", "y"], recipe.as_dict(), 0
    )
    strategy = SimpleNamespace(reduce=lambda value, reduce_op: value)  # noqa: ARG005
    recognizer.trainer = SimpleNamespace(
        current_epoch=epoch, global_rank=rank, world_size=1, strategy=strategy
    )
    seen = []
    recognizer.model.register_forward_pre_hook(
        lambda _, arguments: seen.append(arguments[0].present)
    )
    recognizer.on_train_batch_start(batch, step)
    loss = recognizer.training_step(batch).detach()
    return columns(seen[0]), float(loss)


def columns(present: dict[str, torch.Tensor]) -> torch.Tensor:
    """A column for each modality."""
    return torch.stack(list(present.values()), 1)


def ten_talks() -> Batch:
    generator = torch.Generator().manual_seed(0)
    talks = [
        Conversation(
            {
                name: torch.randn(8, size, generator=generator)
                for name, size in (("text", 4), ("audio", 3))
            },
            torch.arange(8) % 2,
            torch.randint(0, 2, (8,), generator=generator),
        )
        for _ in range(10)
    ]
    return Batch.from_data_list(talks)


@pytest.mark.parametrize("model", MODELS)
def test_modalities_are_dropped_in_training(model: str) -> None:
    whole, loss = trained_on(ten_talks(), model, 0.0)
    assert whole.all()
    some, other_loss = trained_on(ten_talks(), model, 0.3)
    assert 0.15 < (~some).float().mean() < 0.45
    assert math.isfinite(other_loss)
    assert other_loss != loss
    assert trained_on(ten_talks(), model, 0.3)[1] == other_loss


def test_every_step_and_process_drops_others() -> None:
    batch = ten_talks()
    present = columns(batch.present)
    draws = [
        trained_on(ten_talks(), "logistic", 0.5, **where)[0]
        for where in ({}, {"epoch": 1}, {"step": 1}, {"rank": 1})
    ]
    assert len({tuple(each.flatten().tolist()) for each in draws}) == 4
    # A conversation's own mask is not touched.
    talks = batch.to_data_list()
    trained_on(Batch.from_data_list(talks[:1]), "logistic", 0.5)
    assert torch.equal(torch.cat([columns(each.present) for each in talks]), present)


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_a_run_may_move_before_it_goes_on(tmp_path: Path) -> None:
    write_npz(tmp_path / "made.npz", {"text": 5, "audio": 4}, ("train", "test"))
    corpus = read(tmp_path / "made.npz", None)
    best = []
    for seed in range(4):
        folders = [tmp_path / f"{name}{seed}" for name in ("whole", "cut", "moved")]

        def run(folder: Path, epochs: int, seed: int = seed) -> dict[str, object]:
            recipe = recipe_of("logistic", "iemocap", {})
            train(Run("logistic", "iemocap", recipe, seed, epochs, folder, True), corpus, "")
            return json.loads((folder / "result.json").read_text()) | {"seconds": None}

        whole = run(folders[0], 6)
        run(folders[1], 3)
        folders[1].rename(folders[2])
        assert run(folders[2], 6) == whole
        one, other = ((folder / "predictions.csv").read_text() for folder in folders[::2])
        assert one == other
        checkpoint = torch.load(folders[2] / "best.ckpt", weights_only=True)
        assert checkpoint["epoch"] == whole["epoch"]["strict"]
        best.append(checkpoint["epoch"])
    assert min(best) < 3  # or nothing would have been forgotten


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_a_resumed_run_drops_the_same(tmp_path: Path) -> None:
    write_npz(tmp_path / "made.npz", {"text": 5, "audio": 4}, ("train", "test"))
    corpus = read(tmp_path / "made.npz", None)

    def run(p: float, folder: str, epochs: int) -> dict[str, torch.Tensor]:
        dropped = {"modality_dropout": p, "drop_features": p, "average": 0.5}
        recipe = recipe_of("mmdfn", "iemocap", {"num_layers": 2} | dropped)
        train(Run("mmdfn", "iemocap", recipe, 0, epochs, tmp_path / folder, True), corpus, "")
        return weights(tmp_path / folder)

    whole = run(0.4, "whole", 3)
    run(0.4, "cut", 1)
    resumed, complete = run(0.4, "cut", 3), run(0.0, "complete", 3)
    assert all(torch.equal(resumed[key], value) for key, value in whole.items())
    assert not all(torch.equal(complete[key], value) for key, value in whole.items())
    # The last epoch's, though the first one's score was as good.
    assert torch.load(tmp_path / "cut/last.ckpt", weights_only=True)["epoch"] == 2
    assert (
        json.loads((tmp_path / "cut/config.json").read_text())["recipe"]["modality_dropout"] == 0.4
    )


@pytest.mark.parametrize(
    "besides", [{}, {"speaker_normalized": ("audio",), "utterance_channels": 8}]
)
@pytest.mark.parametrize("name", MODELS)
def test_models_predict_every_utterance_and_ignore_what_is_absent(
    name: str, besides: dict[str, object]
) -> None:
    sizes = {"text": 5, "audio": 4}
    settings = {"num_layers": 2} if name in ABLATIONS else {}
    settings |= recipe_of(name, "iemocap", besides).model
    model = make_model(name, "iemocap", sizes, ["x", "y", "z"], settings).eval()
    features = {key: torch.randn(6, size) for key, size in sizes.items()}
    speaker, ptr = torch.tensor([0, 1, 0, 0, 1, 0]), torch.tensor([0, 3, 6])
    present = {"audio": torch.arange(6) != 1}
    out = model(features, speaker, ptr, present)
    assert out.shape == (6, 3)
    features["audio"][1] = torch.nan
    assert torch.equal(model(features, speaker, ptr, present), out)


@pytest.mark.parametrize("name", ["mmdfn", *BASELINES])
def test_an_utterance_classifier_may_stand_beside_any_model(name: str) -> None:
    sizes = {"text": 5, "audio": 4}
    features = {key: torch.randn(3, size) for key, size in sizes.items()}
    conversation = Conversation(features, torch.tensor([0, 1, 0]))
    model = make_model(name, "iemocap", sizes, ["x", "y"], {"utterance_channels": 8}).eval()
    out = model(conversation)
    beside, model.head.utterance_classifier = model.head.utterance_classifier, None
    torch.testing.assert_close(out, beside(features, model(conversation)))
    with pytest.raises(ValueError, match="utterance_channels must be at least 1, but got 0"):
        make_model(name, "iemocap", sizes, ["x", "y"], {"utterance_channels": 0})


@pytest.mark.parametrize("name", ["mmdfn", *BASELINES])
def test_speaker_normalized_names_modalities(name: str) -> None:
    sizes = {"text": 5, "audio": 4}
    with pytest.raises(
        ValueError, match=r"speaker_normalized must name some of .* but got \['face'\]"
    ):
        make_model(name, "iemocap", sizes, ["x", "y"], {"speaker_normalized": ["face"]})
    with pytest.raises(
        TypeError, match="speaker_normalized must be a sequence of names, but got 'audio'"
    ):
        make_model(name, "iemocap", sizes, ["x", "y"], {"speaker_normalized": "audio"})


def test_zero_filled_sees_the_mean_and_no_mask() -> None:
    conversation, sizes = ten_talks().to_data_list()[0], {"text": 4, "audio": 3}
    masked = make_model("mmdfn", "iemocap", sizes, ["x", "y"], {"num_layers": 2}).eval()
    masked.standardize.fit([conversation])
    filled = zero_filled(masked).eval()
    assert torch.equal(filled(conversation), masked(conversation))
    present = torch.arange(8) < 5
    audio = conversation.features["audio"].where(
        present[:, None], masked.standardize.statistics["audio"].mean.float()
    )
    expected = masked(Conversation(conversation.features | {"audio": audio}, conversation.speaker))
    conversation.present["audio"] = present
    assert torch.equal(filled(conversation), expected)
    assert not torch.equal(masked(conversation), expected)


@pytest.mark.parametrize("name", MODELS)
def test_any_model_is_saved_and_loaded(name: str, tmp_path: Path) -> None:
    sizes = {"text": 4, "audio": 3}
    settings = {"num_layers": 2} if name in ABLATIONS else {}
    settings |= recipe_of(name, "iemocap", {}).model
    model, other = (make_model(name, "iemocap", sizes, ["x", "y"], settings) for _ in range(2))
    model.standardize.fit(ten_talks().to_data_list())
    model.save_pretrained(tmp_path)
    if isinstance(model, MMDFN):
        loaded = MMDFN.from_pretrained(tmp_path)
    else:  # the folder holds no parts
        parts = {part: getattr(other, part) for part in ("encoder", "graph", "fusion", "head")}
        loaded = ConversationModel.from_pretrained(tmp_path, **parts)
    assert loaded.class_names == ("x", "y")
    batch = ten_talks()
    assert torch.equal(loaded(batch), model.eval()(batch))


def test_modalities_unknown_to_the_preset_weigh_1() -> None:
    def arguments(*names: str, **settings: object) -> dict[str, object]:
        sizes = dict.fromkeys(names, 3)
        settings = {"num_layers": 1} | settings
        return make_model("mmdfn", "iemocap", sizes, ["x", "y"], settings).config

    some = arguments("audio", "prosody", "text")
    assert some["speaker_weights"] == {"audio": 3, "prosody": 1, "text": 1}
    assert some["context"] == ["text"]
    none = arguments("pose", "gaze")
    assert none["speaker_weights"] == {"pose": 1, "gaze": 1}
    assert none["context"] == ["pose", "gaze"]
    given = arguments("audio", "pose", speaker_weights={"audio": 2})
    assert given["speaker_weights"] == {"audio": 2, "pose": 1}
    assert arguments("pose", context=[])["context"] == []
    with pytest.raises(TypeError, match="speaker_weights must map names to numbers, but got 'x'"):
        arguments("audio", speaker_weights="x")


def test_an_optimiser_of_other_parameters_is_refused() -> None:
    recognizer = recognizer_of("logistic", {})
    state = recognizer.configure_optimizers().state_dict()
    recognizer.on_load_checkpoint({"history": [], "optimizer_states": [state]})
    names = state["param_groups"][0]["param_names"]
    names[0], names[1] = names[1], names[0]
    with pytest.raises(ValueError, match=f"but it has {names[0]} in the place of {names[1]}"):
        recognizer.on_load_checkpoint({"history": [], "optimizer_states": [state]})


def test_an_unknown_model() -> None:
    with pytest.raises(ValueError, match="model must be one of .* but got 'other'"):
        make_model("other", "iemocap", {"text": 1}, ["x"], {})


def talk(name: str, *labels: int) -> Conversation:
    y = torch.tensor(labels)
    return Conversation({"text": torch.ones(len(y), 2)}, torch.zeros_like(y), y, id=name)


def test_folds_are_of_training_conversations_and_differ_by_seed() -> None:
    train = [talk(f"{i}", 0, 1) for i in range(40)]
    corpus = Corpus(("x", "y"), {"train": train, "test": [talk("test", 1)]})
    training, validation = held_out(corpus, 0)
    assert len(validation) == 4
    assert {each.id for each in training} | {each.id for each in validation} == {
        each.id for each in train
    }
    assert len(training) == 36
    assert {each.id for each in held_out(corpus, 1)[1]} != {each.id for each in validation}
    official = Corpus(("x", "y"), {"train": train, "dev": [talk("dev", 0)]})
    assert [each.id for each in held_out(official, 0)[1]] == ["dev"]
    with pytest.raises(ValueError, match="at least two training conversations"):
        held_out(Corpus(("x", "y"), {"train": train[:1]}), 0)


def test_the_fingerprint_is_of_everything() -> None:
    def make(label: int = 1, value: float = 1.0, split: str = "test") -> str:
        other = talk("b", 0, label)
        other.features["text"][0, 0] = value
        return fingerprint(Corpus(("x", "y"), {"train": [talk("a", 0)], split: [other]}))

    assert make() == make()
    assert len({make(), make(label=0), make(value=1.5), make(split="dev")}) == 4


def test_only_splits_that_are_used(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", {"text": 5}, ("train", "val"))
    with pytest.raises(ValueError, match="must have .* test split, but has 6 in train, 6 in val"):
        read(tmp_path / "a.npz", None)
    assert read(tmp_path / "a.npz", None, needed=()).splits.keys() == {"train", "val"}
    write_npz(tmp_path / "a.npz", {"text": 5}, ("train", "development", "test"))
    with pytest.raises(ValueError, match=r"one of dev, .* but has \['development'\]"):
        read(tmp_path / "a.npz", None)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_features_may_have_any_dtype(tmp_path: Path, dtype: torch.dtype) -> None:
    write_npz(tmp_path / "a.npz", {"text": 5, "audio": 4}, ("train", "test"))
    corpus = load(tmp_path / "a.npz")
    for talk in chain(*corpus.splits.values()):
        talk.features = {name: value.to(dtype) for name, value in talk.features.items()}
    save(corpus, tmp_path / "a.safetensors")
    corpus = read(tmp_path / "a.safetensors", None)
    for model in ("logistic", "bigru", "mmdfn"):
        recipe = recipe_of(model, "iemocap", {"num_layers": 2})
        train(Run(model, "iemocap", recipe, 0, 1, tmp_path / model), corpus, "")


def test_subsets() -> None:
    assert subsets("abc") == [list(x) for x in ("a", "b", "c", "ab", "ac", "bc", "abc")]


def test_tables() -> None:
    assert cell([0.5]) == "50.0"
    assert cell([0.4, 0.6]) == "50.0 ± 14.1"
    rows = [["model", "F1"], ["a", "50.0"]]
    assert show(rows) == "model  F1\na      50.0"
    assert markdown(rows) == "| model | F1 |\n| --- | --- |\n| a | 50.0 |"


def test_the_majority_class() -> None:
    corpus = Corpus(("x", "y"), {"train": [talk("a", 1, 1, 0)], "test": [talk("b", 1, 0, 0)]})
    result = majority(corpus)
    assert result.strict["accuracy"] == pytest.approx(1 / 3)
    assert result.strict["f1"] == pytest.approx(1 / 3 * 0.5)
    assert result.f1 == pytest.approx([0, 0.5])


def test_a_full_disk_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "run/last.ckpt"
    AtomicCheckpoints().save_checkpoint({"epoch": 1}, path)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpoints().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert list(path.parent.iterdir()) == [path]


def write_predictions(folder: Path, labels: np.ndarray, predicted: np.ndarray) -> None:
    folder.mkdir(parents=True)
    with (folder / "predictions.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["conversation", "utterance", "label", "predicted"])
        rows.writerows(
            [i // 5, i % 5, *pair] for i, pair in enumerate(zip(labels, predicted, strict=True))
        )


def test_models_are_compared_on_the_same_draws(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    wrong = np.where(rng.random(200) < 0.5, (labels + 1) % 3, labels)
    for seed in range(2):
        for name, predicted in (("good", labels), ("bad", wrong), ("same", labels)):
            write_predictions(tmp_path / name / f"seed_{seed}", labels, predicted)
    folders = {
        name: [tmp_path / name / f"seed_{seed}" for seed in range(2)]
        for name in ("bad", "same", "good")
    }
    heading, bad, same = compare(folders, 3)
    assert heading[:2] == ["good against", "strict F1"]
    assert same == ["same", "+0.0", "+0.0 to +0.0"]
    # One hundred percent against the F1 that a library finds; draws scatter around it.
    f1 = float(
        multiclass_f1_score(torch.tensor(wrong), torch.tensor(labels), 3, average="weighted")
    )
    mean = float(bad[1])
    assert mean == pytest.approx(100 * (1 - f1), abs=1)
    low, high = map(float, bad[2].split("to"))
    assert 0 < low < mean < high


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_a_search_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_npz(tmp_path / "made.npz", {"text": 5}, ("train", "test"))
    monkeypatch.setitem(search.GRIDS, "iemocap", {"num_layers": [1, 2], "lr": [1e-3, 1e-4]})
    arguments = ["--features", str(tmp_path / "made.npz"), "--seeds", "2", "--epochs", "1"]
    arguments += ["--output", str(tmp_path / "runs")]
    assert len(search.main([*arguments, "--trials", "1"]).trials) == 1
    search.main([*arguments, "--trials", "2"])
    study = search.main([*arguments, "--trials", "4"])
    arguments[-1] += "_whole"
    whole = search.main([*arguments, "--trials", "4"])
    assert [each.params for each in study.trials] == [each.params for each in whole.trials]
    assert len({json.dumps(each.params) for each in study.trials}) > 1
    arguments[-1] = str(tmp_path / "runs")
    printed = capsys.readouterr().out
    settings = printed.splitlines()[-1].removeprefix("--set ").split()
    assert parse_settings(settings) == study.best_params
    folders = tmp_path / "runs/made/search/iemocap"
    (folder,) = folders.glob("*_1_epochs_2_seeds/trial_1")
    scores = [
        json.loads((folder / f"seed_{seed}/result.json").read_text())["val_f1"] for seed in (0, 1)
    ]
    assert study.trials[1].value == pytest.approx(np.mean(scores))
    arguments[5] = "2"  # another number of epochs is another search
    assert len(search.main([*arguments, "--trials", "1"]).trials) == 1
    assert len(list(folders.iterdir())) == 2


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_the_table_of_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_npz(tmp_path / "mosi.npz", {"text": 5, "audio": 3}, ("train", "test"))
    arguments = [
        "--data",
        str(tmp_path),
        "--only",
        "mosi",
        "--models",
        "logistic",
        "mmdfn",
        "tuned",
    ]
    arguments += ["--seeds", "2", "--epochs", "1", "--runs", str(tmp_path / "runs")]
    arguments += ["--output", str(tmp_path / "table.md")]
    page = results.main(arguments)
    assert (tmp_path / "table.md").read_text() == page
    assert page.startswith("## mosi: text, audio")
    assert "| mmdfn | 2 |" in page
    for ours, others in (("mmdfn", ["logistic", "tuned"]), ("tuned", ["logistic", "mmdfn"])):
        _, _, rows = page.partition(f"| {ours} against | strict F1 | 95 % of draws |\n")
        assert [row.split(" | ")[0] for row in rows.splitlines()[1:3]] == [f"| {n}" for n in others]
    before = (tmp_path / "runs/mosi/mmdfn/seed_1/best.ckpt").stat().st_mtime_ns
    assert results.main(arguments) == page
    assert (tmp_path / "runs/mosi/mmdfn/seed_1/best.ckpt").stat().st_mtime_ns == before
    write_npz(tmp_path / "mosi.npz", {"text": 6, "audio": 3}, ("train", "test"))
    with pytest.raises(SystemExit):
        results.main(arguments)
    assert "must hold the run to resume, but has one that differs in data: fingerprint" in " ".join(
        capsys.readouterr().err.split()
    )
    assert (tmp_path / "table.md").read_text() == page


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_each_group_is_left_out_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "some.npz", tmp_path / "out"
    write_npz(path, {"text": 5, "audio": 3}, ("train", "test"))
    small = "num_layers=1 channels=4"
    arguments = ["--features", str(path), "--output", str(out), "--epochs", "1"]
    arguments += ["--try", small, f"{small} batch_size=2", "--prefix"]
    scores = cross_validate.main([*arguments, "6"])
    assert [len(each) for each in scores.values()] == [6, 6]
    names = [f"train{number}" for number in range(6)]
    folders = [
        folder / name for folder in (out / "some/prefix_6/iemocap").iterdir() for name in names
    ]
    for folder in folders:
        with (folder / "predictions.csv").open() as file:
            assert {row["conversation"] for row in csv.DictReader(file)} == {folder.name}
        data = json.loads((folder / "config.json").read_text())["data"]
        assert data["splits"] == {"train": 5, "test": 1}
        assert folder.name not in data["held_out"]
    before = [(folder / "best.ckpt").stat().st_mtime_ns for folder in folders]
    assert cross_validate.main([*arguments, "6"]) == scores
    assert [(folder / "best.ckpt").stat().st_mtime_ns for folder in folders] == before
    table = capsys.readouterr().out.splitlines()[-2:]
    for line, (settings, each) in zip(table, scores.items(), strict=True):
        assert line.startswith(f"| {settings} | {100 * each[0]:.1f} | ")
    with pytest.raises(SystemExit):
        cross_validate.main([*arguments, "5"])
    assert "--prefix must tell two groups apart, but 5 gives ['train']" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_each_fold_is_left_out_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "some.npz", tmp_path / "out"
    write_npz(path, {"text": 5, "audio": 3}, ("train", "dev"))  # a test split is not needed
    arguments = ["--features", str(path), "--output", str(out), "--epochs", "1"]
    arguments += ["--try", "num_layers=1 channels=4", "--folds"]
    (scores,) = cross_validate.main([*arguments, "4"]).values()
    left_out: list[str] = []
    for fold in range(1, 5):
        folder = out / "some/folds_4/iemocap/num_layers=1_channels=4" / f"fold_{fold}"
        with (folder / "predictions.csv").open() as file:
            left_out += sorted({row["conversation"] for row in csv.DictReader(file)})
        data = json.loads((folder / "config.json").read_text())["data"]
        assert data["splits"]["train"] in (4, 5)
        assert set(data["held_out"]) == {f"dev{number}" for number in range(6)}
    assert sorted(left_out) == [f"train{number}" for number in range(6)]
    assert len(scores) == 4
    for wrong in ("1", "7"):
        with pytest.raises(SystemExit):
            cross_validate.main([*arguments, wrong])
        assert f"--folds must be from 2 to 6, but got {wrong}" in capsys.readouterr().err


def test_more_is_lost_at_a_greater_share() -> None:
    talks = ten_talks().to_data_list()
    kept = [
        torch.cat([columns(each.present) for each in missing_modalities.lose(talks, share, 3)])
        for share in (0.0, 0.3, 0.6, 1.0)
    ]
    assert kept[0].all()
    assert not kept[-1].any()
    assert all((more <= less).all() for less, more in pairwise(kept))
    assert all(columns(each.present).all() for each in talks)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::Warning")  # the trainer's, about tiny data
def test_the_study_of_missing_modalities(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "one.npz", tmp_path / "other.npz"]
    for path, splits in zip(paths, (("train", "test"), ("train", "dev", "test")), strict=True):
        write_npz(path, {"text": 5, "audio": 3}, splits)
    out, arms = tmp_path / "out", list(missing_modalities.ARMS)
    common = ["--epochs", "2", "--set", "num_layers=1", "--output", str(out), "--features"]
    scores = missing_modalities.main(["--seeds", "1", *common, *map(str, paths)])
    found = [(score.data, score.arm, score.share) for score in scores]
    assert found == list(product(["one", "other"], arms, missing_modalities.SHARES))
    for each in scores:
        assert 0 <= each.f1 <= 1
        assert each.f1_none >= 0 or (math.isnan(each.f1_none) and each.share < 0.9)
        assert each.f1_some == each.f1 or each.share > 0
    complete = {(score.data, score.arm): score.f1 for score in scores if score.share == 0}
    for data in ("one", "other"):
        assert complete[data, "masked"] == complete[data, "zero-filled"]
    with (out / "scores.csv").open() as file:
        assert [float(row["f1"]) for row in csv.DictReader(file)] == [each.f1 for each in scores]
    assert (out / "scores.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"

    # The epoch is picked on the same conversations, less what is missing if so in training.
    data, dropped = (
        json.loads((out / f"other/mmdfn/drop_{p}/seed_0/config.json").read_text())["data"]
        for p in ("0.0", "0.5")
    )
    assert dropped["held_out"] == data["held_out"]
    assert dropped["fingerprint"] != data["fingerprint"]

    # Another seed, and nothing is trained twice.
    checkpoint = out / "one/mmdfn/drop_0.5/seed_0/last.ckpt"
    before = checkpoint.stat().st_mtime_ns
    capsys.readouterr()
    more = missing_modalities.main(["--seeds", "2", *common, str(paths[0])])
    assert checkpoint.stat().st_mtime_ns == before
    again = [each.f1 for each in more if each.seed == 0]
    assert again == [each.f1 for each in scores if each.data == "one"]
    mean = 50 * sum(each.f1 for each in more if (each.arm, each.share) == (arms[3], 0.9))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("| 90% | ")
    assert last.split(" | ")[-1].startswith(f"{mean:.1f} ± ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features", "missing.npz"], "No such file"),
        (["--seeds", "0"], "--seeds: must be at least 1, but got 0"),
        (["--drop", "2"], "modality_dropout must be finite and in"),
        (["--set", "lr"], "a setting must be NAME=VALUE, but got 'lr'"),
    ],
)
def test_bad_arguments_of_the_study(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit):
        missing_modalities.main([*arguments, "--output", str(tmp_path)])
    assert message in capsys.readouterr().err
