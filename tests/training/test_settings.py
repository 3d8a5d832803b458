"""Settings of training, and the models that have names."""

import json
import math
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.models.presets import PRESETS
from graphfusion.training import MODELS, Recipe, Settings


def test_a_preset_is_the_model_and_its_training() -> None:
    assert Settings.from_preset("meld").lr == 5e-4
    assert Settings.from_preset("meld", lr=1.0).lr == 1.0
    assert Settings.from_preset("iemocap_speaker_normalized").average == 0.97
    regularized = Settings.from_preset("iemocap_regularized")
    assert (regularized.average, regularized.drop_features) == (0.97, 0.2)
    for preset in PRESETS:
        Recipe("mmdfn", preset)
    with pytest.raises(ValueError, match=r"preset must be one of .*'meld'.*, but got 'dialogue'"):
        Settings.from_preset("dialogue")


def test_a_recipe_separates_training_settings_from_the_models() -> None:
    recipe = Recipe("mmdfn", "meld", {"lr": 1.0, "num_layers": 3, "dropout": 0.5})
    assert (recipe.settings.lr, recipe.settings.gamma) == (1.0, 0.5)
    model = recipe.build_for({"text": 3}, ["x", "y"])
    assert model.config["num_layers"] == 3
    assert model.config["dropout"] == 0.5
    json.dumps(asdict(recipe))
    # An ablation is one whatever else is asked for.
    config = Recipe("no_graph", changes={"past": 5}).build_for({"text": 3}, ["x", "y"]).config
    assert config["past"] == 0
    # Training is any model's, MM-DFN's arguments are its own.
    changes = {"lr": 0.5, "past": 5, "utterance_channels": 9}
    recipe = Recipe("bigru", changes=changes)
    assert (recipe.settings.lr, recipe.settings.gamma) == (0.5, 0.0)
    model = recipe.build_for({"text": 3}, ["x", "y"])
    assert model.head.utterance_classifier is not None


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
    "setting",
    [
        "modality_dropout",
        "drop_features",
        "class_weights",
        "lr",
        "weight_decay",
        "gamma",
        "average",
    ],
)
def test_numbers(
    model: str, setting: str, value: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"{setting} {message}"):
        Recipe(model, changes={setting: value})


@given(st.sampled_from(["batch_size", "epochs", "patience"]), st.integers(-5, 0))
def test_sizes(setting: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{setting} must be at least 1, but got {value}"):
        Settings(**{setting: value})


def test_unknown_settings() -> None:
    with pytest.raises(ValueError, match="model must be one of .* but got 'other'"):
        Recipe("other")
    with pytest.raises(ValueError, match="preset must be one of .* but got 'other'"):
        Recipe("mmdfn", "other")
    with pytest.raises(
        ValueError, match=r"settings must be of training \(autocast.*but got layers"
    ):
        Recipe("mmdfn", changes={"layers": 3})
    with pytest.raises(ValueError, match="but got num_classes"):
        Recipe("mmdfn", changes={"num_classes": 3})


def test_modalities_unknown_to_the_preset_weigh_1() -> None:
    def arguments(*names: str, **changes: object) -> dict[str, object]:
        recipe = Recipe(changes={"num_layers": 1} | changes)
        return recipe.build_for(dict.fromkeys(names, 3), ["x", "y"]).config

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


@pytest.mark.parametrize("name", MODELS)
def test_without_classes_a_model_predicts_scores(name: str) -> None:
    model = Recipe(name, "mosi", {}).build_for({"text": 3, "audio": 2}, [])
    assert (model.task, model.class_names) == ("regression", ("score",))
    assert Recipe(name, "mosi").settings.sentiment
