"""A recording that is predicted: what it lacks, and extractors that are not those of training."""

import numpy as np
import pytest

from graphfusion import MMDFN
from graphfusion.recordings import Recognizer, TableError, extract
from graphfusion.recordings.page import page
from tests.recordings.made import (
    RATE,
    Letters,
    Power,
    draw_face,
    frame,
    tone,
    write_container,
    write_sound,
)

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

VTT = """WEBVTT

00:00.000 --> 00:01.000
<v Ann>area

00:01.000 --> 00:02.000
<v Bob>it is
"""


class Pictures(Power):
    needs = "video"

    def __call__(self, segments):
        return [[1.0, len(list(each.frames()))] for each in segments]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "new.vtt").write_text(VTT)
    return write_sound(tmp_path / "new.wav", tone(2.0), RATE), str(tmp_path / "new.vtt")


def make(**options):
    model = MMDFN({"text": 3}, 2, num_layers=1, **options)
    letters = Letters()
    model.extractors = extract(frame(text=["area"]), {"text": letters}).extractors
    return model, letters


def test_extractors_of_another_training_are_refused():
    model, letters = make()
    assert Recognizer(model, {"text": letters}).rates == {"text": ()}
    with pytest.raises(ValueError, match=r"'text' must be made as in training.*revision: 1 then"):
        Recognizer(model, {"text": Letters(revision=2)})
    letters.fingerprint = {**letters.fingerprint, "versions": {"letters": "2.0"}}
    with pytest.warns(UserWarning, match="made with the package versions of training"):
        Recognizer(model, {"text": letters})
    model.extractors = {"text": {"columns": ["a", "b", "c"]}}  # of a table
    assert Recognizer(model, {"text": Letters(revision=2)}).rates == {}


def test_sampling_rates_are_compared_without_a_folder(files, tmp_path):
    model = MMDFN({"audio": 2}, 2, num_layers=1)
    table = frame(audio=[files[0]])
    model.extractors = extract(table, {"audio": Power()}).extractors
    recognizer = Recognizer(model, {"audio": Power()})
    write_sound(tmp_path / "low.wav", tone(2.0, rate=8000), 8000)
    with pytest.warns(UserWarning, match=r"training, \[16000\] Hz, but some has \[8000\] Hz"):
        recognizer(tmp_path / "low.wav", files[1])


def test_a_recording_without_subtitles_is_named(files):
    recognizer = Recognizer(*_pair())
    with pytest.raises(ValueError, match=r"recording must be a table .* if there are no subtitles"):
        recognizer(files[0])


def _pair():
    model, letters = make()
    return model, {"text": letters}


def test_what_a_recording_has_no_stream_of_is_absent(files, tmp_path):
    sizes = {"text": 3, "audio": 2, "video": 2}
    extractors = {"text": Letters(), "audio": Power(), "video": Pictures()}
    recognizer = Recognizer(MMDFN(sizes, 2, num_layers=1), extractors)
    pictures = [draw_face(8)[::4, ::4]] * 50
    mute = write_container(tmp_path / "mute.mp4", None, pictures=pictures)
    assert recognizer(mute, files[1]).absent.tolist() == ["audio: no file named"] * 2
    assert recognizer(*files).absent.tolist() == ["video: no file named"] * 2
    both = write_container(tmp_path / "both.mp4", tone(2.0), RATE, pictures)
    assert recognizer(both, files[1]).absent.tolist() == ["", ""]


@pytest.mark.parametrize("need", ["audio", "video"])
def test_a_recording_that_cannot_be_read_is_not_absent(files, tmp_path, need):
    (tmp_path / "noise.mp4").write_bytes(b"no video at all" * 100)
    extractors = {"text": Letters(), need: Power() if need == "audio" else Pictures()}
    recognizer = Recognizer(MMDFN({"text": 3, need: 2}, 2, num_layers=1), extractors)
    for name in ("noise.mp4", "gone.mp4"):
        with pytest.raises(TableError, match=rf"{need} must be a readable file, but .*{name}"):
            recognizer(tmp_path / name, files[1])


def test_a_recording_too_large_for_a_page_is_refused_first(files, tmp_path, monkeypatch):
    model, letters = make()
    monkeypatch.setattr("graphfusion.recordings.recognizer.LARGEST", 1000)
    calls = letters.calls
    with pytest.raises(OSError, match="must have at most 1000 bytes, but has 64044"):
        Recognizer(model, {"text": letters}).to_html(tmp_path / "a.html", *files)
    assert letters.calls == calls
    assert page.LARGEST == 2**28


def test_several_scores_are_all_shown(files, tmp_path):
    model, letters = make(task="regression", class_names=["valence", "arousal"])
    table = Recognizer(model, {"text": letters}).to_html(tmp_path / "a.html", *files)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    first = ", ".join(f"{table[name][0]:.2f}" for name in ("valence", "arousal"))
    assert f"0:00.0, Ann: {first}. area." in " ".join(text.split())
    assert "none" not in text.partition("<main>")[2].partition("<script>")[0]
    assert np.isfinite(table.valence).all()
