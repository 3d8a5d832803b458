"""Several classes at once, from training to the comparison of runs."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multilabel_f1_score

from graphfusion import Conversation
from graphfusion.data.labels import LabelSpec
from graphfusion.datasets import Corpus
from graphfusion.models.task import task_loss
from graphfusion.training import (
    Calibration,
    Recipe,
    Run,
    benchmark,
    compare,
    evaluate,
    fit,
    fit_seeds,
    load_model,
    model_card,
    predict,
    table,
    write_report,
)
from graphfusion.training.columns import by_class, class_f1, label_columns
from graphfusion.training.run import about_model
from tests.runs import empty_pictures
from tests.several import CLASSES, several

Make = Callable[..., Recipe]
pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]
LABELS = ["label joy", "label anger", "label fear"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """A bias and a weight for each class, with two seeds. Not to be changed."""
    changes = {"epochs": 10, "lr": 0.3, "batch_size": 4}
    folder = tmp_path_factory.mktemp("several")
    recipe = Recipe("logistic", changes=changes)
    with pytest.MonkeyPatch.context() as monkeypatch:
        empty_pictures(monkeypatch)
        return fit_seeds(recipe, several(missing=0.1), folder, [0, 1], source="made")


def test_what_can_be_learned_is(trained: list[Run]) -> None:
    run = trained[0]
    assert run.task == "multilabel"
    f1 = run.result["class_f1"]
    assert list(f1) == list(CLASSES)
    assert f1["joy"] > 0.8
    assert f1["anger"] > 0.8
    model = run.model()
    assert (model.task, model.class_names) == ("multilabel", CLASSES)
    assert about_model(run.folder / "model")["task"] == "multilabel"
    assert evaluate(model, several(missing=0.1)) == pytest.approx(run.result["strict"])


def test_what_a_run_leaves(trained: list[Run]) -> None:
    predictions = trained[0].predictions
    columns = ["conversation", "utterance", *LABELS, "predicted", *CLASSES]
    assert list(predictions) == columns
    y = torch.cat(several(missing=0.1).labels("test")).numpy()
    assert np.array_equal(predictions[LABELS].to_numpy(), y, equal_nan=True)
    assert np.isnan(y).any()
    assert "" in set(predictions["predicted"])  # of no class
    for row in predictions.to_dict("records"):
        assert row["predicted"] == "+".join(name for name in CLASSES if row[name] > 0.5)
    with pytest.raises(ValueError, match="confusion must be of a classification run, but"):
        trained[0].confusion  # noqa: B018
    assert "calibration" not in trained[0].result
    assert about_model(trained[0].folder / "model")["calibration"] is None


def test_its_report_has_no_section_of_one_class(trained: list[Run], tmp_path: Path) -> None:
    write_report(trained, tmp_path / "report.html", several())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "F1 of each class" in page
    assert "Confusion" not in page
    assert "Calibration" not in page
    assert "several at once" in model_card(trained, "me/mine")


@pytest.mark.parametrize("model", ["mmdfn", "bigru"])
def test_named_models_train(model: str, folder: Path, small: Make) -> None:
    (run,) = fit_seeds(small(model, epochs=1), several(4, 2), folder, [0])
    assert load_model(run.folder / "model").task == "multilabel"
    assert not math.isnan(run.result["strict"]["f1"])
    with pytest.raises(ValueError, match="must have labels to train on, but its 5 conversations"):
        fit_seeds(small(model, epochs=1), several(5, 2, 1.0), folder / "none", [0])


def test_one_class_alone(folder: Path, small: Make) -> None:
    corpus = several(4, 2)
    splits = {
        split: [Conversation(each.features, each.speaker, each.y[:, :1], id=each.id) for each in of]
        for split, of in corpus.splits.items()
    }
    (run,) = fit_seeds(small("logistic", epochs=1), Corpus(("joy",), splits), folder, [0])
    assert run.result["strict"]["f1"] == pytest.approx(run.result["class_f1"]["joy"])
    assert run.model().task == "multilabel"


def test_fusions_are_compared(folder: Path) -> None:
    changes = {"num_layers": 1, "channels": 4, "hidden_channels": 4, "epochs": 1}
    found = benchmark(several(4, 3), folder, changes=changes, models=["mmdfn"], seeds=[0])
    assert list(found.index) == ["no_fusion", "mmdfn"]
    assert {"strict f1", "f1 difference"} <= set(found)


def test_runs_are_compared_by_weighted_f1(trained: list[Run], tmp_path: Path) -> None:
    found = compare({"one": trained[:1], "other": trained[1:]})
    scores = [run.result["strict"]["f1"] for run in trained]
    assert found.loc["one", "f1 difference"] == pytest.approx(scores[1] - scores[0], abs=1e-6)
    assert "F1 joy" in table({"one": trained})
    corpus = several()
    single = Corpus(
        CLASSES,
        {
            split: [
                Conversation(each.features, each.speaker, each.y.argmax(1), id=each.id)
                for each in of
            ]
            for split, of in corpus.splits.items()
        },
    )
    (other,) = fit_seeds(Recipe("logistic", changes={"epochs": 1}), single, tmp_path, [0])
    with pytest.raises(
        ValueError, match="runs must be of one task .*, but single has classification"
    ):
        compare({"single": [other], "several": trained})
    with pytest.raises(ValueError, match="labels for multilabel, .*, but has some for classif"):
        evaluate(trained[0].model(), single)
    with pytest.raises(ValueError, match="corpus must have labels for multilabel, but has some"):
        fit(trained[0].model(), single, tmp_path / "new")


@given(st.permutations(range(3)))
def test_scores_do_not_depend_on_the_order_of_classes(order: list[int]) -> None:
    corpus = several(2, 4, missing=0.3)
    torch.manual_seed(0)
    model = Recipe("logistic").build(corpus)
    splits = {
        split: [Conversation(e.features, e.speaker, e.y[:, order], id=e.id) for e in of]
        for split, of in corpus.splits.items()
    }
    moved = Corpus(tuple(CLASSES[k] for k in order), splits)
    assert evaluate(model, moved) == evaluate(model, corpus)
    other = Corpus(("joy", "anger", "envy"), corpus.splits)
    with pytest.raises(ValueError, match=r"the model's classes, \['joy', 'anger', 'fear'\]"):
        evaluate(model, other)


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.integers(0, 99))
def test_rows_without_labels_get_no_gradient(known: list[bool], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, 3, generator=generator, requires_grad=True)
    y = torch.randint(0, 2, (6, 3), generator=generator).float()
    y[~torch.tensor(known)] = torch.nan
    task_loss(logits, y, "multilabel").backward()
    assert logits.grad is not None
    assert logits.grad.any(1).tolist() == known


@given(st.data())
def test_the_f1_of_each_class(data: st.DataObject) -> None:
    cells = st.lists(
        st.lists(st.sampled_from([0.0, 1.0, math.nan]), min_size=3, max_size=3),
        min_size=1,
        max_size=8,
    )
    y = torch.tensor(data.draw(cells))
    seed = data.draw(st.integers(0, 99))
    probability = torch.rand(y.shape, generator=torch.Generator().manual_seed(seed))
    spec = LabelSpec("multilabel", CLASSES)
    frame = pd.DataFrame(
        dict(zip(label_columns(spec), y.T.tolist(), strict=True))
        | dict(zip(CLASSES, probability.T.tolist(), strict=True))
    )
    truth, guessed = by_class(frame, spec)
    assert truth.tolist() == (y == 1).tolist()
    assert guessed.tolist() == ((probability > 0.5) & ~y.isnan()).tolist()
    found = class_f1(frame, spec)
    if y.isnan().all():
        assert found == {}
        return
    wanted = multilabel_f1_score(
        probability, y.nan_to_num(-1).long(), 3, average="none", ignore_index=-1
    )
    assert list(found.values()) == pytest.approx(wanted.tolist())


def test_columns_have_names_of_their_own() -> None:
    corpus = several(2, 1)
    model = Recipe("logistic").build(Corpus(("joy", "label joy", "fear"), corpus.splits))
    with pytest.raises(ValueError, match=r"not be those of other columns, but got \['label joy'\]"):
        predict(model, corpus)


def test_several_labels_are_not_calibrated() -> None:
    with pytest.raises(ValueError, match=r"label must have shape \[2\], but got \[2, 3\]"):
        Calibration.fit(torch.rand(2, 3), torch.ones(2, 3, dtype=torch.int64))
