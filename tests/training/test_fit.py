"""Training: what a run leaves, how it goes on, and what it refuses."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from graphfusion import (
    MMDFN,
    BatchLayout,
    Classifier,
    Conversation,
    ConversationGraph,
    ConversationModel,
    ConvFusion,
    UtteranceEncoder,
)
from graphfusion._utils.files import write_atomically
from graphfusion.datasets import Corpus, load, save
from graphfusion.models import presets
from graphfusion.training import (
    MODELS,
    Recipe,
    Run,
    Settings,
    evaluate,
    fit,
    fit_seeds,
    load_model,
    table,
)
from graphfusion.training.fit_checks import check_recipe
from tests.runs import weights, write_npz

ROOT = Path(__file__).parents[2]
Make = Callable[..., Recipe]

pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]


def train(recipe: Recipe, corpus: Corpus, folder: Path, **arguments: object) -> Run:
    (run,) = fit_seeds(recipe, corpus, folder, [0], **arguments)
    return run


def test_the_files_of_a_run(runs: list[Run], corpus: Corpus) -> None:
    run = runs[1]
    config, result = run.config, run.result
    assert config["seed"] == 1
    assert config["recipe"]["changes"]["num_layers"] == 1
    data = config["data"]
    assert data["in_channels"] == {"text": 5, "audio": 4}
    assert data["classes"] == ["x", "y", "z"]
    assert data["fingerprint"] == corpus.fingerprint
    assert set(data["held_out"]) < set(corpus.ids("train"))
    assert [len(runs[0].history), list(runs[0].history["epoch"])] == [2, [0, 1]]

    table = run.predictions
    assert list(table) == ["conversation", "utterance", "label", "predicted", "x", "y", "z"]
    labels = [corpus.classes[y] for y in torch.cat(corpus.labels("test")).tolist()]
    assert list(table["label"]) == labels
    assert np.allclose(table[["x", "y", "z"]].sum(axis=1), 1)
    assert result["strict"]["accuracy"] == pytest.approx(
        (table["label"] == table["predicted"]).mean()
    )
    assert result["legacy"]["f1"] >= result["strict"]["f1"]
    assert result["class_f1"].keys() == {"x", "y", "z"}

    # The model alone predicts, with the statistics of the conversations trained on.
    model = run.model()
    assert isinstance(model, MMDFN)
    training = [each for each in corpus.splits["train"] if each.id not in data["held_out"]]
    for name, statistics in model.standardize.statistics.items():
        x = torch.cat([each.features[name] for each in training])
        torch.testing.assert_close(statistics.mean.float(), x.mean(0), rtol=1e-4, atol=1e-4)
    guesses = [
        max(row, key=row.__getitem__)
        for each in corpus.splits["test"]
        for row in model.predict(each)
    ]
    assert guesses == list(table["predicted"])
    about = json.loads((run.folder / "model/data.json").read_text())
    assert about["classes"] == ["x", "y", "z"]
    assert about["corpus"] == corpus.fingerprint
    assert Path(run.folder, "report.html").stat().st_size > 1000


def test_the_model_keeps_the_chosen_epoch(corpus: Corpus, folder: Path, small: Make) -> None:
    recipe = small(epochs=4, average=0.5)
    model = recipe.build(corpus)
    run = fit(model, corpus, folder, recipe.settings, recipe=recipe)
    loaded, batch = run.model(), corpus.splits["test"][0]
    assert torch.equal(loaded(batch), model(batch))
    assert not model.training
    state = weights(folder, "best.ckpt")
    assert all(
        torch.equal(state[f"model.{key}"], value) for key, value in model.state_dict().items()
    )


def test_the_same_seed_gives_the_same_weights(corpus: Corpus, folder: Path, small: Make) -> None:
    before = torch.random.get_rng_state()
    recipe = small(epochs=1)
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        fit_seeds(recipe, corpus, folder / name, [seed])
    same, again = (weights(folder / name / "seed_3") for name in "ab")
    other = weights(folder / "c/seed_4")
    assert all(torch.equal(same[key], again[key]) for key in same)
    assert not all(torch.equal(same[key], other[key]) for key in same)
    torch.manual_seed(0)
    model = recipe.build(corpus)
    torch.random.set_rng_state(before)
    fit(model, corpus, folder / "d", recipe.settings)
    assert torch.equal(torch.random.get_rng_state(), before)  # others' draws are left alone


def test_a_model_is_not_scored_on_what_trained_it(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    """Another seed holds out other conversations, of which the first run trained on some."""
    recipe = small(epochs=1)
    model = recipe.build(corpus)
    drawn = copy.deepcopy(model.state_dict())
    first = fit(model, corpus, folder / "a", recipe.settings)
    loaded = recipe.build(corpus)
    fit(loaded, corpus, folder / "a", recipe.settings, resume=True)
    train, test = corpus.ids("train"), corpus.ids("test")
    turned = corpus.with_splits({"train": test, "val": train[:1], "test": train[1:]})
    for each in (model, copy.deepcopy(model), loaded):
        for data in (corpus, turned):
            with pytest.raises(ValueError, match=r"model must not have been trained on held-out"):
                fit(each, data, folder / "b", recipe.settings, seed=1)
    assert not (folder / "b/config.json").exists()
    # Its own held-out conversations have not trained it, and other weights have seen nothing.
    again = fit(model, corpus, folder / "c", recipe.settings)
    assert again.config["data"]["held_out"] == first.config["data"]["held_out"]
    model.load_state_dict(drawn)
    fit(model, corpus, folder / "d", recipe.settings, seed=1)
    model.reset_parameters()
    fit(model, corpus, folder / "e", recipe.settings, seed=2)


def test_a_run_without_an_epoch_is_replaced(corpus: Corpus, folder: Path, small: Make) -> None:
    recipe = small(epochs=1)
    fit(recipe.build(corpus), corpus, folder, recipe.settings)
    for name in ("result.json", "last.ckpt", "best.ckpt"):
        (folder / name).unlink()
    fit(recipe.build(corpus), corpus, folder, recipe.settings, resume=True)


def test_a_run_is_replaced_only_from_the_same_initial_weights(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    recipe = small(epochs=1)
    torch.manual_seed(0)
    model = recipe.build(corpus)
    again = copy.deepcopy(model)
    fit(model, corpus, folder, recipe.settings)
    before = (folder / "result.json").read_bytes()
    with pytest.raises(ValueError, match="must hold no other run, but has one with other initial"):
        fit(model, corpus, folder, recipe.settings)  # trained, by now
    assert (folder / "result.json").read_bytes() == before
    scores = Run(folder).result["strict"]
    assert fit(again, corpus, folder, recipe.settings).result["strict"] == scores


@pytest.mark.parametrize(
    "besides",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"modality_dropout": 0.4, "drop_features": 0.4, "average": 0.5},
    ],
)
def test_a_run_goes_on_wherever_it_was_moved(
    corpus: Corpus, folder: Path, small: Make, besides: dict[str, float]
) -> None:
    def run(name: str, epochs: int) -> Run:
        return train(small(epochs=epochs, **besides), corpus, folder / name, resume=True)

    whole = run("whole", 4)
    run("cut", 2)
    (folder / "cut").rename(folder / "moved")
    resumed = run("moved", 4)
    for key in ("strict", "legacy", "validation", "epoch"):
        assert resumed.result[key] == whole.result[key]
    assert resumed.history.equals(whole.history)
    assert resumed.predictions.equals(whole.predictions)
    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = weights(resumed.folder, name), weights(whole.folder, name)
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_finished_run_is_not_trained_again(corpus: Corpus, folder: Path, small: Make) -> None:
    recipe = small(epochs=1)
    trained = fit(recipe.build(corpus), corpus, folder, recipe.settings, recipe=recipe).model()
    for name in ("last.ckpt", "best.ckpt", "report.html"):
        (folder / name).unlink()

    def times() -> dict[Path, int]:  # old releases of filelock write the lock
        files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
        return {path: path.stat().st_mtime_ns for path in files}

    before = times()
    model = recipe.build(corpus)
    run = fit(model, corpus, folder, recipe.settings, recipe=recipe, resume=True)
    after = times()
    assert after.keys() - before.keys() == {folder / "report.html"}
    assert {path: after[path] for path in before} == before
    assert run.result["epochs"] == 1
    assert not model.training
    state = trained.state_dict()
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("name", ["metrics.csv", "best.ckpt", "last.ckpt"])
def test_a_run_cut_off_after_any_file_of_an_epoch_loses_nothing(
    corpus: Corpus,
    folder: Path,
    small: Make,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    epoch: int,
) -> None:
    recipe = small("logistic", epochs=2, lr=0.1)
    whole = train(recipe, corpus, folder / "whole")
    seen, handler = [], signal.getsignal(signal.SIGINT)

    def cut(path: Path, content: object) -> None:
        write_atomically(path, content)
        seen.append(Path(path).name)
        if seen.count(name) > epoch:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("graphfusion.training.checkpoints.write_atomically", cut)
        try:
            train(recipe, corpus, folder / "cut")
        except KeyboardInterrupt:
            pass
        else:
            assert name == "best.ckpt"  # the first epoch was the best
    assert signal.getsignal(signal.SIGINT) == handler
    resumed = train(recipe, corpus, folder / "cut", resume=True)
    assert resumed.history.equals(whole.history)
    ours, theirs = weights(resumed.folder), weights(whole.folder)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_an_exit_that_is_no_interruption_stays_one(
    corpus: Corpus, folder: Path, small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(*_: object) -> None:
        sys.exit(3)

    monkeypatch.setattr("graphfusion.training.checkpoints.write_atomically", leave)
    with pytest.raises(SystemExit) as stopped:
        train(small("logistic", epochs=1), corpus, folder)
    assert stopped.value.code == 3


def test_a_run_cut_off_in_added_epochs_is_not_finished(
    corpus: Corpus, folder: Path, small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(small(epochs=1), corpus, folder)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["graphfusion.training.fit"], "write_results", cut)
        with pytest.raises(KeyboardInterrupt):
            train(small(epochs=2), corpus, folder, resume=True)
    with pytest.raises(ValueError, match="must be finished, but .* was continued for more epochs"):
        table({"mmdfn": [Run(folder / "seed_0")]})
    assert train(small(epochs=2), corpus, folder, resume=True).result["epochs"] == 2


LONGER = {"num_layers": 1, "channels": 4, "hidden_channels": 4, "epochs": 30}
PROGRAM = f"""
import sys
from graphfusion.datasets import load
from graphfusion.training import Recipe, fit_seeds

fit_seeds(Recipe(changes={LONGER}), load(sys.argv[1]), sys.argv[2], [0], resume=True)
"""


@pytest.mark.slow
def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """One process is killed, another resumes: this one, for a process takes long to start."""
    path = tmp_path / "made.npz"
    write_npz(path, {"text": 5, "audio": 4}, ("train", "test"))
    history = tmp_path / "cut/seed_0/metrics.csv"
    command = [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "cut")]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}) as cut:
        while cut.poll() is None and not (
            history.exists() and len(history.read_text().splitlines()) > 4
        ):
            time.sleep(0.005)
        cut.kill()
    assert cut.returncode != 0
    with pytest.raises(ValueError, match=r"must hold a finished run, but has no result.json"):
        Run(history.parent)
    for name in ("whole", "cut"):
        fit_seeds(Recipe(changes=LONGER), load(path), tmp_path / name, [0], resume=True)
    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = (weights(tmp_path / run / "seed_0", name) for run in ("cut", "whole"))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    for name in ("metrics.csv", "predictions.csv"):
        ours, theirs = ((tmp_path / run / "seed_0" / name).read_text() for run in ("cut", "whole"))
        assert ours == theirs


def test_another_run_is_not_resumed(corpus: Corpus, folder: Path, small: Make) -> None:
    train(small(epochs=1), corpus, folder)
    with pytest.raises(ValueError, match=r"must hold the run to resume, .* in recipe: changes lr"):
        train(small(epochs=1, lr=0.1), corpus, folder, resume=True)
    train(small(epochs=3), corpus, folder, resume=True)
    with pytest.raises(ValueError, match="epochs must be at least 3, as many as"):
        train(small(epochs=2), corpus, folder, resume=True)


def test_only_the_same_run_is_written_over(corpus: Corpus, folder: Path, small: Make) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    train(small(), corpus, folder)
    before = files()
    extracted = Corpus(corpus.classes, corpus.splits, {"text": {"model": "who"}})
    with pytest.raises(ValueError, match="differs in data: extractors"):
        train(small(), extracted, folder, resume=True)
    others = [
        (small(epochs=3), corpus, "recipe: changes epochs 2 instead of 3"),
        (small(preset="meld"), corpus, "differs in model: arguments speaker_weights"),
        (small(num_layers=2), corpus, "differs in model: arguments num_layers 1 instead of 2"),
        (small(), corpus.select(["audio", "text"]), "differs in "),
        (small(), extracted, "differs in data: extractors nothing instead of .*'who'"),
    ]
    for recipe, data, message in others:
        with pytest.raises(ValueError, match=f"must hold no other run, .*{message}"):
            train(recipe, data, folder)
        assert files() == before
    train(small(), corpus, folder)  # the same one may be: its numbers are the same
    same = {path.name for path, content in files().items() if content == before.get(path)}
    assert {"config.json", "metrics.csv", "predictions.csv", "model.safetensors"} <= same
    assert len(list(folder.rglob("events.out.tfevents.*"))) == 1
    first = folder / "seed_0/first.safetensors"
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"first.safetensors must be as it was written, but is"):
        train(small(), corpus, folder)


def test_the_settings_of_a_preset_may_change(
    corpus: Corpus, folder: Path, small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(small(epochs=1), corpus, folder, source="here")
    folder = folder.rename(folder.with_name("elsewhere"))  # the same data
    train(small(epochs=1), corpus, folder, source="there", resume=True)
    changed = presets.PRESETS["iemocap"].change({"dropout": 0.1}, {})
    monkeypatch.setitem(presets.PRESETS, "iemocap", changed)
    for resume in (False, True):
        with pytest.raises(ValueError, match=r"in model: arguments dropout 0\.4 instead of 0\.1"):
            train(small(epochs=1), corpus, folder, resume=resume)


def test_patience(corpus: Corpus, folder: Path, small: Make) -> None:
    run = train(small(epochs=12, patience=1, lr=0.0), corpus, folder)
    assert len(run.history) == 2  # no better after the first
    before = run.model().state_dict()
    (folder / "seed_0/result.json").unlink()  # as if cut off before it was written
    again = train(small(epochs=12, patience=1, lr=0.0), corpus, folder, resume=True)
    assert len(again.history) == 2
    assert all(torch.equal(each, before[name]) for name, each in again.model().state_dict().items())


def test_a_model_in_evaluation_mode_is_trained_with_dropout(
    corpus: Corpus, tmp_path: Path, small: Make
) -> None:
    models = [small(dropout=0.5).build(corpus) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    models[1].eval()
    for name, model in zip("ab", models, strict=True):
        fit(model, corpus, tmp_path / name, Settings(epochs=1))
    one, other = (model.state_dict() for model in models)
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    models[0].train().encoder.eval()  # frozen
    modes = []
    models[0].encoder.register_forward_hook(lambda part, *_: modes.append(part.training))
    fit(
        models[0],
        corpus.with_splits({"train": corpus.ids("train")}),
        tmp_path / "c",
        Settings(epochs=1),
    )
    assert not any(modes)


def test_a_recipe_has_its_own_settings(corpus: Corpus, folder: Path, small: Make) -> None:
    recipe = small("logistic", epochs=1, lr=0.01)
    with pytest.raises(ValueError, match="settings must be left out or be the recipe's, Settings"):
        fit(recipe.build(corpus), corpus, folder, Settings(epochs=1), recipe=recipe)
    run = fit(recipe.build(corpus), corpus, folder, recipe=recipe)
    assert (run.config["settings"]["lr"], run.config["settings"]["epochs"]) == (0.01, 1)


@pytest.mark.parametrize("name", ["mmdfn", "gcn2", "self_attention", "zero_filled"])
def test_the_model_is_the_recipes(corpus: Corpus, folder: Path, small: Make, name: str) -> None:
    model, recipe = small(name, past=1, future=1).build(corpus), small(name)
    with pytest.raises(ValueError, match=r"must be the recipe's, but differs in (past|future) of"):
        fit(model, corpus, folder, recipe=recipe)
    other = "static" if name == "mmdfn" else "mmdfn"
    with pytest.raises(ValueError, match="must be the recipe's, but differs in "):
        fit(model, corpus, folder, recipe=small(other))
    assert not folder.exists()
    compiled = torch.compile(recipe.build(corpus), backend="eager")
    state = torch.get_rng_state()
    check_recipe(compiled, corpus, recipe)
    assert torch.equal(torch.get_rng_state(), state)


def test_parts_of_a_model_that_builds_its_own_are_not_replaced(
    corpus: Corpus, folder: Path, tmp_path: Path, small: Make
) -> None:
    def changed(name: str, **values: object) -> MMDFN:
        model = small().build(corpus)
        assert isinstance(model, MMDFN)
        for key, value in values.items():
            setattr(model.get_submodule(name), key, value)
        return model

    for name, values in (
        ("", {"graph": ConversationGraph(past=0)}),
        ("fusion", {"alpha": 0.9}),
        ("encoder", {"speaker_weights": {"text": 9.0, "audio": 1.0}}),
    ):
        model = changed(name, **values)
        where = name or "graph"
        for use in (model.save_pretrained, lambda place, model=model: fit(model, corpus, place)):
            with pytest.raises(ValueError, match=f"as its config has it, but .* of {where} was re"):
                use(folder)
    model = small().build(corpus)
    model.compile(backend="eager")  # which changes nothing of it
    torch.compile(model, backend="eager")
    model.note = "mine"
    model.save_pretrained(tmp_path)
    assert not folder.exists()
    model = changed("", graph=ConversationGraph(past=0))
    parts = ConversationModel(model.encoder, model.graph, model.fusion, model.head, corpus.classes)
    fit(parts, corpus, folder, Settings(epochs=1))  # as the message says


@pytest.mark.parametrize("name", MODELS)
def test_any_named_model_is_trained_and_loaded(
    name: str, corpus: Corpus, folder: Path, small: Make
) -> None:
    run = train(small(name, epochs=1), corpus.select(["audio", "text"]), folder)
    model = run.model()
    rows = model.predict(corpus.splits["test"][0])
    found = run.predictions.loc[: len(rows) - 1, ["x", "y", "z"]].to_dict("records")
    for row, expected in zip(rows, found, strict=True):
        assert row == pytest.approx(expected)


class Plain(torch.nn.Module):
    """A user's own encoder: linear, and without `standardize`."""

    def __init__(self, in_channels: dict[str, int], channels: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels = dict(in_channels), channels
        self.projections = torch.nn.ModuleDict(
            {name: torch.nn.Linear(size, channels) for name, size in in_channels.items()}
        )

    def forward(self, features: dict[str, torch.Tensor], _: BatchLayout) -> torch.Tensor:
        projected = [project(features[name]) for name, project in self.projections.items()]
        return torch.stack(projected, dim=1)


@pytest.mark.parametrize("encoder", [UtteranceEncoder, Plain])
def test_a_model_of_own_parts_is_trained_and_loaded(
    corpus: Corpus, folder: Path, encoder: type[torch.nn.Module]
) -> None:
    from torch_geometric.nn import GCNConv

    def parts() -> dict[str, torch.nn.Module]:
        return {
            "encoder": encoder(corpus.in_channels, channels=4),
            "graph": ConversationGraph(past=2),
            "fusion": ConvFusion(GCNConv(4, 3)),
            "head": Classifier(corpus.in_channels, 3, 3),
        }

    model = ConversationModel(**parts(), class_names=corpus.classes)
    run = fit(model, corpus, folder, Settings(epochs=1))
    loaded = run.model(**parts())
    batch = corpus.splits["test"][0]
    assert torch.equal(loaded(batch), model(batch))
    for changed, where in (
        ({"graph": ConversationGraph(past=1)}, "graph past 2 instead of 1"),
        ({"fusion": ConvFusion(GCNConv(4, 3), dropout=0.5)}, r"fusion.dropout p 0.0 instead of"),
    ):
        other = ConversationModel(**{**parts(), **changed}, class_names=corpus.classes)
        with pytest.raises(ValueError, match=f"differs in model: parts {where}"):
            fit(other, corpus, folder, Settings(epochs=1), resume=True)
    if encoder is Plain:
        with pytest.raises(ValueError, match="drop_features must be 0 if the model's encoder has"):
            fit(model, corpus, folder, Settings(drop_features=0.1))


def with_labels(
    corpus: Corpus, classes: tuple[str, ...], label: Callable[..., torch.Tensor]
) -> Corpus:
    splits = {
        split: [
            Conversation(each.features, each.speaker, label(each), each.present, id=each.id)
            for each in conversations
        ]
        for split, conversations in corpus.splits.items()
    }
    return Corpus(classes, splits)


def test_scores_are_trained_and_evaluated(corpus: Corpus, folder: Path, small: Make) -> None:
    scores = with_labels(
        corpus, (), lambda each: (each.y - 1.0).where(torch.arange(len(each.y)) > 0, torch.nan)
    )
    run = train(small(preset="mosi"), scores, folder)
    assert run.result["strict"].keys() == {"mae", "corr", "acc2", "f1", "acc7"}
    assert run.result["epoch"]["strict"] == run.history["val_mae"].idxmin()
    table = run.predictions
    assert list(table) == ["conversation", "utterance", "label", "predicted"]
    known = table.dropna(subset="label")
    assert len(known) == len(table) - len(scores.splits["test"])
    assert run.result["strict"]["mae"] == pytest.approx(
        (known["label"] - known["predicted"]).abs().mean(), abs=1e-6
    )
    assert isinstance(run.model().predict(scores.splits["test"][0])[0], float)
    again = evaluate(run.model(), scores, sentiment=True)
    assert again == pytest.approx(run.result["strict"], abs=1e-6)


def test_classes_are_no_sentiment(corpus: Corpus, folder: Path, small: Make) -> None:
    with pytest.raises(ValueError, match="sentiment must be False for classification, but is True"):
        train(small(preset="mosi"), corpus, folder)
    assert not (folder / "config.json").exists()
    model = small().build(corpus)
    with pytest.raises(ValueError, match="sentiment must be False for classification, but is True"):
        evaluate(model, corpus, sentiment=True)


def test_missing_labels_do_not_count(corpus: Corpus, folder: Path, small: Make) -> None:
    some = with_labels(
        corpus, corpus.classes, lambda each: each.y.where(torch.arange(len(each.y)) != 1, -100)
    )
    run = train(small(), some, folder)
    table = run.predictions
    assert table["label"].isna().sum() == len(some.splits["test"])
    known = table.dropna(subset="label")
    right = (known["label"] == known["predicted"]).mean()
    assert run.result["strict"]["accuracy"] == pytest.approx(right)


def test_test_conversations_without_labels_are_predicted_only(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    test = set(corpus.ids("test"))
    splits = {
        split: [
            Conversation(
                each.features,
                each.speaker,
                torch.full_like(each.y, -100) if each.id in test else each.y,
                id=each.id,
            )
            for each in conversations
        ]
        for split, conversations in corpus.splits.items()
    }
    run = train(small(epochs=1), Corpus(corpus.classes, splits), folder)
    assert run.predictions["label"].isna().all()
    assert "calibration" not in run.result


def test_without_test_conversations(corpus: Corpus, folder: Path, small: Make) -> None:
    part = corpus.with_splits({"train": corpus.ids("train"), "val": corpus.ids("test")})
    run = train(small(), part, folder)
    assert run.result.keys() >= {"validation", "epoch"}
    assert not run.result.keys() & {"strict", "legacy"}
    assert set(run.config["data"]["held_out"]) == set(corpus.ids("test"))


# In the quick run MM-DFN with each dtype, and each model with one.
@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        pytest.param(dtype, name, marks=() if quick else pytest.mark.slow)
        for dtype in (torch.float64, torch.float16, torch.bfloat16)
        for name in ("logistic", "bigru", "mmdfn")
        for quick in [name == "mmdfn" or dtype == torch.float16]
    ],
)
def test_features_may_have_any_dtype(
    tmp_path: Path, dtype: torch.dtype, name: str, corpus: Corpus, small: Make
) -> None:
    splits = {
        split: [
            Conversation(
                {name: value.to(dtype) for name, value in each.features.items()},
                each.speaker,
                each.y,
                id=each.id,
            )
            for each in conversations
        ]
        for split, conversations in corpus.splits.items()
    }
    save(Corpus(corpus.classes, splits), tmp_path / "a.safetensors")
    read = load(tmp_path / "a.safetensors")
    train(small(name, epochs=1), read, tmp_path / name)


def test_what_does_not_fit(corpus: Corpus, folder: Path, small: Make) -> None:
    model = small().build(corpus)
    with pytest.raises(ValueError, match="must have the model's modalities, .*corpus.select"):
        fit(model, corpus.select(["text"]), folder)
    swapped = with_labels(corpus, ("y", "x", "z"), lambda each: each.y)
    with pytest.raises(ValueError, match="must have the model's class_names in the same order"):
        fit(model, swapped, folder)
    scores = with_labels(corpus, (), lambda each: each.y.float())
    with pytest.raises(
        ValueError, match="must have labels for classification, but has some for reg"
    ):
        fit(model, scores, folder)
    for names, wrong in (
        (("x", "turn", "set"), "'turn', 'set'"),
        (("calm", "y", "calm std"), "'calm std'"),
    ):
        named = with_labels(corpus, names, lambda each: each.y)
        with pytest.raises(ValueError, match=rf"those of other columns, but got \[{wrong}\]"):
            fit_seeds(small(), named, folder, [0])
    with pytest.raises(ValueError, match=r"seeds must be in \[0, 2\*\*32\), .* but got \[-1\]"):
        fit_seeds(small(), corpus, folder, [-1])
    with pytest.raises(TypeError, match=r"seeds must be integers, but got \[0\.5\]"):
        fit_seeds(small(), corpus, folder, [0, 0.5])
    assert not folder.exists()


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
@pytest.mark.parametrize("cut_off", [False, True])
def test_a_damaged_checkpoint_is_not_resumed(
    corpus: Corpus, folder: Path, small: Make, name: str, cut_off: bool
) -> None:
    """Whichever it is, before anything is trained."""
    run = train(small("logistic", epochs=1), corpus, folder)
    path, before = run.folder / name, run.history
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if cut_off:
        del content[middle:]
    else:
        content[middle : middle + 40] = bytes(255 - each for each in content[middle : middle + 40])
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} must be as it was written, .* train again from"):
        train(small("logistic", epochs=2), corpus, folder, resume=True)
    assert Run(run.folder).history.equals(before)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="must have a model.safetensors"):
        load_model(tmp_path)


UNDROPPED = {
    "num_layers": 2,
    "channels": 8,
    "hidden_channels": 4,
    "dropout": 0.0,
    "batch_size": 3,
    "epochs": 3,
}
TWO_PROCESSES = f"""
import sys
import torch
from graphfusion.datasets import load
from graphfusion.training import Recipe, fit_seeds

torch.set_default_dtype(torch.float64)
fit_seeds(Recipe(changes={UNDROPPED}), load(sys.argv[1]), sys.argv[2], [0], devices=2)
"""


@pytest.fixture
def _doubles() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="PyTorch for Windows starts no second process so")
@pytest.mark.usefixtures("_doubles")
def test_two_processes_learn_the_same_as_one(tmp_path: Path) -> None:
    path, script = tmp_path / "made.npz", tmp_path / "program.py"
    write_npz(path, {"text": 5, "audio": 4}, ("train", "test"))
    script.write_text(TWO_PROCESSES)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    subprocess.run(
        [*launcher, str(script), str(path), str(tmp_path / "two")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=300,
    )
    fit_seeds(Recipe(changes=UNDROPPED), load(path), tmp_path / "one", [0])
    one, two = (weights(tmp_path / name / "seed_0") for name in ("one", "two"))
    for key in one:
        torch.testing.assert_close(two[key], one[key], rtol=0, atol=1e-6)
    first, second = (
        Run(tmp_path / name / "seed_0").history["train_loss"] for name in ("one", "two")
    )
    assert list(first) == pytest.approx(list(second))


def test_a_class_without_an_example_is_named(corpus: Corpus, folder: Path, small: Make) -> None:
    more = Corpus((*corpus.classes, "rare"), corpus.splits)
    with pytest.warns(UserWarning, match=r"of each class to train on, but has none of \['rare'\]"):
        train(small(epochs=1), more, folder)


def test_every_conversation_is_trained_on(corpus: Corpus, runs: list[Run]) -> None:
    parts = runs[0].config["data"]["splits"]
    assert parts == {name: len(each) for name, each in corpus.splits.items()}
    assert {each.id for each in chain(*corpus.splits.values())} >= set(
        runs[0].config["data"]["held_out"]
    )


def test_numbers_may_be_those_of_numpy(corpus: Corpus, folder: Path, small: Make) -> None:
    changes = {"epochs": np.int64(1), "lr": np.float32(0.1), "patience": np.int64(1)}
    first, other = fit_seeds(small("logistic", **changes), corpus, folder, np.arange(2))
    assert [first.config["seed"], other.config["seed"]] == [0, 1]
    assert first.config["recipe"]["changes"]["lr"] == float(np.float32(0.1))
