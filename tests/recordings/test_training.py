"""What `fit` leaves in a folder is enough to predict a recording."""

import numpy as np
import pytest

from graphfusion import MMDFN
from graphfusion.recordings import Recognizer, extract
from tests.recordings.made import RATE, Letters, Power, tone, write_sound

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")
training = pytest.importorskip("graphfusion.training", reason="needs the extra `train`")


@pytest.mark.slow
@pytest.mark.parametrize("modalities", [None, ["text+audio"]])
def test_a_run_predicts_a_recording(tmp_path, modalities):
    for split in ("train", "test"):
        write_sound(tmp_path / f"{split}.wav", tone(4.0), RATE)
    rows = [
        (f"c{c}", "AB"[u % 2], "aei"[u % 3], u, u + 1, f"{split}.wav", "xy"[u % 2], split)
        for c, split in enumerate(["train"] * 4 + ["test"])
        for u in range(4)
    ]
    columns = ["conversation", "speaker", "text", "start", "end", "audio", "label", "split"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "t.csv", index=False)
    extractors = {"text": Letters(), "audio": Power()}
    corpus = extract(tmp_path / "t.csv", extractors)
    selected = corpus if modalities is None else corpus.select(modalities)
    model = MMDFN(selected.in_channels, 2, class_names=selected.classes, num_layers=1)
    training.fit(
        model, selected, tmp_path / "run", training.Settings(epochs=1), modalities=modalities
    )
    recognizer = Recognizer.from_pretrained(tmp_path / "run/model", extractors)
    frame = recognizer(tmp_path / "t.csv")
    trained = MMDFN.from_pretrained(tmp_path / "run/model")
    expected = [
        row
        for part in ("train", "test")
        for c in selected.splits[part]
        for row in trained.predict(c)
    ]
    np.testing.assert_array_equal(frame[["x", "y"]], pd.DataFrame(expected)[["x", "y"]])
