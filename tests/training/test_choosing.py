"""Cross-validation and search: neither looks at test conversations, and both go on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from graphfusion.datasets import Corpus
from graphfusion.training import Recipe, Run, by_prefix, cross_validate, search
from tests.runs import as_scores

Make = Callable[..., Recipe]
pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning"),  # the trainer's, about tiny data
    pytest.mark.usefixtures("undrawn"),
]


def times(folder: Path) -> list[int]:
    return [path.stat().st_mtime_ns for path in sorted(folder.rglob("best.ckpt"))]


def test_each_group_is_left_out_once(corpus: Corpus, folder: Path, small: Make) -> None:
    recipe = small("logistic", epochs=1)
    groups = by_prefix(corpus, 6)  # "train0", "train1"
    assert list(groups) == corpus.ids("train")
    scores = cross_validate(recipe.build, corpus, folder, recipe.settings, groups=groups)
    assert list(scores.index) == list(groups)
    for name in groups:
        run = Run(folder / name)
        assert set(run.predictions["conversation"]) == {name}
        assert run.config["data"]["splits"] == {"train": 5, "test": 1}
        assert name not in run.config["data"]["held_out"]
        assert scores.loc[name, "f1"] == run.result["strict"]["f1"]
    with pytest.raises(ValueError, match=r"must give at least two groups, but 5 gives \['train'\]"):
        by_prefix(corpus, 5)


def test_each_fold_is_left_out_once(corpus: Corpus, folder: Path, small: Make) -> None:
    recipe = small("logistic", epochs=1)
    both = corpus.with_splits({"train": corpus.ids("train"), "dev": corpus.ids("test")})
    scores = cross_validate(recipe.build, both, folder, recipe.settings, groups=4)
    left_out: list[str] = []
    for fold in scores.index:
        run = Run(folder / fold)
        left_out += run.predictions["conversation"].unique().tolist()
        assert set(run.config["data"]["held_out"]) == set(corpus.ids("test"))
    assert sorted(left_out) == corpus.ids("train")
    before = times(folder)
    again = cross_validate(recipe.build, both, folder, recipe.settings, groups=4)
    assert again.equals(scores)
    assert times(folder) == before  # and nothing is trained again
    for wrong in (1, 7):
        with pytest.raises(ValueError, match=f"groups must be from 2 to 6, but got {wrong}"):
            cross_validate(recipe.build, both, folder, recipe.settings, groups=wrong)
    with pytest.raises(ValueError, match="with each training conversation in one of them"):
        cross_validate(recipe.build, both, folder, groups={"a": ["train0"], "b": ["train1"]})


@pytest.mark.slow
def test_a_search_goes_on_where_it_was(corpus: Corpus, folder: Path, small: Make) -> None:
    grid = {"dropout": [0.1, 0.2], "lr": [1e-3, 1e-4]}

    def run(name: str, trials: int, epochs: int = 1):
        recipe = small(epochs=epochs)
        return search(corpus, folder / name, recipe, grid, trials=trials, seeds=2)

    assert len(run("cut", 1).trials) == 1
    study, whole = run("cut", 3), run("whole", 3)
    assert [each.params for each in study.trials] == [each.params for each in whole.trials]
    assert len({json.dumps(each.params) for each in study.trials}) == 3
    words = "_".join(f"{name}={value}" for name, value in study.trials[1].params.items())
    (place,) = (folder / "cut").glob(f"*/{words}")
    scores = [Run(place / f"seed_{seed}").result["validation"]["f1"] for seed in (0, 1)]
    assert study.trials[1].value == pytest.approx(sum(scores) / 2)
    assert len(run("cut", 9).trials) == 4  # the whole grid


def test_each_search_has_trials_of_its_own(corpus: Corpus, folder: Path, small: Make) -> None:
    first, other = small("logistic", epochs=1), small("logistic", epochs=1, weight_decay=0.1)
    grids: list[dict[str, list[float]]] = [{"lr": [1e-3]}, {"lr": [1e-2]}]
    for recipe, grid, groups in (
        (first, grids[0], None),
        (other, grids[0], None),
        (first, grids[1], None),
        (first, grids[0], 2),
        (first, grids[0], by_prefix(corpus, 6)),
    ):
        before = times(folder)
        study = search(corpus, folder, recipe, grid, trials=1, seeds=1, groups=groups)
        assert len(study.trials) == 1
        assert len(times(folder)) > len(before)
    assert len(list(folder.iterdir())) == 5


def test_a_search_scores_by_the_groups_that_are_left_out(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    recipe, grid = small("logistic", epochs=1), {"lr": [1e-3, 1e-2]}
    study = search(corpus, folder / "search", recipe, grid, trials=2, groups=2)
    assert {trial.params["lr"] for trial in study.trials} == set(grid["lr"])
    for trial in study.trials:
        tried = small("logistic", epochs=1, lr=trial.params["lr"])
        place = folder / f"cross_{trial.number}"
        scores = cross_validate(tried.build, corpus, place, tried.settings, groups=2)
        assert trial.value == scores["f1"].mean()


def test_a_search_goes_on_after_a_diverged_training(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    recipe = small(epochs=1)

    def run(trials: int, *rates: float):
        return search(corpus, folder, recipe, {"lr": rates}, trials=trials, seeds=1)

    study = run(4, 1e-3, 1e30)
    tried = {trial.params["lr"]: trial.state.name for trial in study.trials}
    assert tried == {1e-3: "COMPLETE", 1e30: "PRUNED"}
    assert study.best_params == {"lr": 1e-3}
    assert len(run(4, 1e-3, 1e30).trials) == 2  # none of them again


def test_a_search_in_which_all_diverge_is_refused(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    with pytest.raises(ValueError, match="grid must have a combination whose training"):
        search(corpus, folder, small(epochs=1), {"lr": [1e30]}, trials=1, seeds=1)
    with pytest.raises(ValueError, match="trials must be at least 1, but got 0"):
        search(corpus, folder, small(), {"lr": [1e-3]}, trials=0)


def test_fewer_trials_than_before_are_refused(corpus: Corpus, folder: Path, small: Make) -> None:
    grid = {"lr": [1e-3, 1e-2]}
    search(corpus, folder, small("logistic", epochs=1), grid, trials=2, seeds=1)
    with pytest.raises(ValueError, match="trials must be at least 2, as many as .* has, but got 1"):
        search(corpus, folder, small("logistic", epochs=1), grid, trials=1, seeds=1)


def test_a_grid_has_different_plain_values(corpus: Corpus, folder: Path, small: Make) -> None:
    for values in ([], [1e-3, 1e-3]):
        with pytest.raises(ValueError, match="grid must have different values of lr, but got"):
            search(corpus, folder, small(), {"lr": values})
    with pytest.raises(
        TypeError, match="grid must have numbers, strings, flags or None of context"
    ):
        search(corpus, folder, small(), {"context": [["text"]]})


def test_scores_of_sentiment_are_searched_for_the_least_error(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    grid = {"lr": [1e-3, 10.0]}
    study = search(as_scores(corpus), folder, small(epochs=1), grid, trials=2, seeds=1)
    assert study.best_value == min(trial.value for trial in study.trials)


@pytest.mark.parametrize("model", ["self_attention", "bigru"])
def test_models_of_other_parts_are_not_taken_for_each_other(
    corpus: Corpus, folder: Path, small: Make, model: str
) -> None:
    first, other = small(model, epochs=1, dropout=0.1), small(model, epochs=1, dropout=0.2)
    cross_validate(first.build, corpus, folder, first.settings, groups=2)
    with pytest.raises(ValueError, match=r"differs in model: parts .* p 0\.1 instead of 0\.2"):
        cross_validate(other.build, corpus, folder, other.settings, groups=2)


def test_the_left_out_group_does_not_choose_the_epoch(
    corpus: Corpus, folder: Path, small: Make
) -> None:
    recipe = small("logistic", epochs=6, lr=0.3)
    scores = cross_validate(recipe.build, corpus, folder, recipe.settings, groups=3)
    results = [Run(folder / name).result for name in scores.index]
    assert list(scores["f1"]) == [each["strict"]["f1"] for each in results]
    assert list(scores["f1"]) != [each["legacy"]["f1"] for each in results]
    with pytest.raises(ValueError, match=r"groups must have conversations, but \['none'\] have no"):
        cross_validate(
            recipe.build, corpus, folder, groups={"all": corpus.ids("train"), "none": []}
        )


def test_fixed_settings_are_not_searched(corpus: Corpus, folder: Path, small: Make) -> None:
    for changes, grid in (({"lr": 0.1}, {"lr": [1e-3]}), ({}, {"num_layers": [1, 2]})):
        (name,) = grid
        with pytest.raises(ValueError, match=f"that the recipe fixes, but has .'{name}'"):
            search(corpus, folder, small(**changes), grid)
    with pytest.raises(ValueError, match="grid must have a setting to try, but is empty"):
        search(corpus, folder, small(), {})
    assert not folder.exists()


def test_groups_and_searches_may_have_any_names(corpus: Corpus, folder: Path, small: Make) -> None:
    recipe, ids = small("logistic", epochs=1), corpus.ids("train")
    names = [str(folder.parent / "out"), "../out", "a", "a/", "50 %", "wütend"]
    groups = {name: [each] for name, each in zip(names, ids, strict=True)}
    place = folder / "who?{a}%20"
    search(corpus, place, recipe, {"lr": [0.1]}, trials=1, groups=groups)
    (trial,) = place.glob("*/lr=0.1")
    runs = [Run(each.parent) for each in trial.glob("*/config.json")]
    assert sorted(run.predictions["conversation"][0] for run in runs) == ids
    assert [each.name for each in folder.iterdir()] == [place.name]
    assert {each.name for each in folder.parent.iterdir()} == {folder.name}
    with pytest.raises(ValueError, match=r"can be those of folders, but got \['..'\]"):
        cross_validate(recipe.build, corpus, folder, groups={"a": ids[:3], "..": ids[3:]})
