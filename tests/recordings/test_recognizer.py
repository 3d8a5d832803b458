"""A trained model meets a new recording with the extractors of its training, or not at all."""

import json

import numpy as np
import pytest

from graphfusion import MMDFN
from graphfusion.recordings import Recognizer, TableError, extract, read_subtitles
from tests.recordings.made import RATE, Letters, Power, tone, write_container, write_sound

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

VTT = """WEBVTT

00:00.000 --> 00:01.000
<v Ann>area

00:01.000 --> 00:02.000

00:02.000 --> 00:03.000
<v Bob>it is
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of text and sound, its data, and a recording with subtitles."""
    folder = tmp_path_factory.mktemp("model")
    write_sound(folder / "new.wav", tone(3.0), RATE)
    (folder / "new.vtt").write_text(VTT)
    table = read_subtitles(folder / "new.vtt", folder / "new.wav")
    table["label"] = ["calm", None, "angry"]
    corpus = extract(table, {"text": Letters(), "audio": Power()})
    model = MMDFN(corpus.in_channels, 2, class_names=corpus.classes, num_layers=2).eval()
    model.standardize.fit(corpus.splits["train"])
    save(folder, model, corpus, ["text", "audio"])
    return folder


def save(folder, model, corpus, modalities):
    model.extractors = corpus.extractors
    model.save_pretrained(folder)
    (folder / "data.json").write_text(json.dumps({"modalities": modalities}))


def load(folder, **other):
    return Recognizer.from_pretrained(folder, {"text": Letters(), "audio": Power(), **other})


def test_every_subtitle_gets_a_row(folder):
    frame = load(folder)(folder / "new.wav", folder / "new.vtt")
    assert frame.columns.tolist() == [
        *("predicted", "angry", "calm"),
        *("start", "end", "speaker", "text", "conversation", "absent"),
    ]
    assert frame.start.tolist() == [0, 1, 2]
    assert frame.speaker.tolist() == ["Ann", "?", "Bob"]
    assert frame.absent.tolist() == ["", "text: no words", ""]
    np.testing.assert_allclose(frame.angry + frame.calm, 1)
    assert frame.predicted.tolist() == [
        "angry" if angry > calm else "calm"
        for angry, calm in zip(frame.angry, frame.calm, strict=True)
    ]


def test_predictions_are_those_of_the_model_on_the_features(folder):
    table = read_subtitles(folder / "new.vtt", folder / "new.wav")
    (talk,) = extract(table, {"text": Letters(), "audio": Power()}).splits["train"]
    expected = MMDFN.from_pretrained(folder).predict(talk)
    frame = load(folder)(folder / "new.wav", folder / "new.vtt")
    assert frame[["angry", "calm"]].to_dict("records") == expected


def test_a_table_of_several_conversations_is_predicted_one_by_one(folder):
    table = read_subtitles(folder / "new.vtt", folder / "new.wav")
    mixed = pd.concat([table, table.assign(conversation="again")]).sort_values(
        "start", kind="stable"
    )
    frame = load(folder)(mixed)
    alone = load(folder)(table)
    for _, part in frame.groupby("conversation"):
        columns = ["angry", "calm", "start", "speaker"]
        pd.testing.assert_frame_equal(
            part[columns].reset_index(drop=True), alone[columns], check_exact=True
        )


def test_a_page_does_not_replace_a_recording(folder):
    recording = folder / "new.wav"
    before = recording.read_bytes()
    with pytest.raises(ValueError, match="path must be a .html file"):
        load(folder).to_html(recording, recording, folder / "new.vtt")
    assert recording.read_bytes() == before


def test_a_page_has_what_is_predicted(folder, tmp_path):
    recognizer, files = load(folder), (folder / "new.wav", folder / "new.vtt")
    frame = recognizer.to_html(tmp_path / "page.html", *files)
    pd.testing.assert_frame_equal(frame, recognizer(*files))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for part in ("Ann", "area", "no words", "angry", *map("{:.2f}".format, frame.angry)):
        assert part in text


def test_it_shows_its_extractors_and_modalities():
    letters = Letters()
    recognizer = Recognizer(MMDFN({"text": 3}, 2, num_layers=1), {"text": letters})
    assert repr(recognizer) == f"Recognizer({{'text': {letters}}}, modalities=['text'])"


def test_other_options_or_weights_are_refused(folder):
    with pytest.raises(ValueError, match=r"'text' must be made as in training.*revision: 1 then"):
        load(folder, text=Letters(revision=2))


def test_another_version_is_warned_of(folder):
    other = Letters()
    other.fingerprint = {**other.fingerprint, "versions": {"letters": "2.0"}}
    with pytest.warns(UserWarning, match="made with the package versions of training"):
        load(folder, text=other)


def test_a_sampling_rate_that_training_lacked_is_warned_of(folder, tmp_path):
    write_sound(tmp_path / "new.wav", tone(3.0, rate=8000), 8000)
    recognizer = load(folder)
    assert recognizer.rates == {"text": (), "audio": [RATE]}
    with pytest.warns(UserWarning, match=r"training, \[16000\] Hz, but some has \[8000\] Hz"):
        recognizer(tmp_path / "new.wav", folder / "new.vtt")


def test_extractors_of_others_must_be_given(folder):
    with pytest.raises(ValueError, match="extractors must be given for 'audio'.* by 'Power'"):
        Recognizer.from_pretrained(folder, {"text": Letters()})
    with pytest.raises(ValueError, match=r"of the modalities \['text', 'audio'\].* \['smell'\]"):
        load(folder, smell=Letters())


def test_our_own_are_made_from_their_fingerprints(folder, tmp_path):
    pytest.importorskip("opensmile", reason="needs the extra `opensmile`")
    from graphfusion.recordings import OpenSmile

    table = read_subtitles(folder / "new.vtt", folder / "new.wav")
    corpus = extract(table, {"audio": OpenSmile("IS09"), "more": Power()}).select(["audio+more"])
    save(tmp_path, MMDFN(corpus.in_channels, 2, num_layers=1), corpus, ["audio+more"])
    recognizer = Recognizer.from_pretrained(tmp_path, {"more": Power()})
    assert isinstance(recognizer.extractors["audio"], OpenSmile)
    assert len(recognizer(folder / "new.wav", folder / "new.vtt")) == 3


def test_a_score_is_predicted_as_it_is(folder):
    model = MMDFN({"text": 3}, 1, task="regression", num_layers=1)
    table = read_subtitles(folder / "new.vtt", folder / "new.wav")
    frame = Recognizer(model, {"text": Letters()})(table)
    assert frame.columns.tolist()[:3] == ["predicted", "start", "end"]
    assert frame.predicted.dtype == np.float64


def test_several_labels_are_named(folder):
    model = MMDFN({"text": 3}, 2, task="multilabel", class_names=["loud", "text"], num_layers=1)
    frame = Recognizer(model, {"text": Letters()})(folder / "new.wav", folder / "new.vtt")
    assert frame.columns.tolist()[:3] == ["predicted", "loud", "class text"]
    for _, row in frame.iterrows():
        named = [
            name
            for name in ("loud", "text")
            if row[f"class {name}" if name == "text" else name] > 0.5
        ]
        assert row.predicted == "+".join(named)


def test_sound_without_pictures_lacks_them(folder, tmp_path):
    class Pictures(Power):
        needs = "video"

        def __call__(self, segments):
            return [[1.0, sum(1 for _ in each.frames())] for each in segments]

    model = MMDFN({"text": 3, "video": 2}, 2, num_layers=1)
    recognizer = Recognizer(model, {"text": Letters(), "video": Pictures()})
    frame = recognizer(folder / "new.wav", folder / "new.vtt")
    assert frame.absent.tolist() == [
        "video: no file named",
        "text: no words; video: no file named",
        "video: no file named",
    ]
    pictures = [np.zeros((48, 64, 3), np.uint8)] * 75
    write_container(tmp_path / "new.mp4", tone(3.0), RATE, pictures)
    frame = recognizer(tmp_path / "new.mp4", folder / "new.vtt")
    assert frame.absent.tolist() == ["", "text: no words", ""]


def test_subtitles_beyond_the_recording_are_refused(folder, tmp_path):
    (tmp_path / "late.vtt").write_text(VTT.replace("00:03.000", "00:09.000"))
    with pytest.raises(TableError, match="row 3: end must be within"):
        load(folder)(folder / "new.wav", tmp_path / "late.vtt")
    with pytest.raises(TypeError, match="recording must be a file where subtitles are given"):
        load(folder)(pd.DataFrame(), folder / "new.vtt")


def test_a_model_that_does_not_fit_is_refused():
    model = MMDFN({"text": 4}, 2, num_layers=1)
    with pytest.raises(ValueError, match=r"of the sizes {'text': 4}.*but make {'text': 3}"):
        Recognizer(model, {"text": Letters()})
    with pytest.raises(ValueError, match=r"given for all of \['text\+tone'\], but lack \['tone'\]"):
        Recognizer(model, {"text": Letters()}, ["text+tone"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "must be an object with modalities"),
        ("[]", "must be an object with modalities"),
        ('{"modalities": null}', "KeyError"),
    ],
)
def test_a_folder_without_modalities_is_refused(tmp_path, content, said):
    with pytest.raises(FileNotFoundError, match=r"must have a data\.json"):
        Recognizer.from_pretrained(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/data.json").write_text(content)
    with pytest.raises(FileNotFoundError, match=r"; did you mean .*model\?"):
        Recognizer.from_pretrained(tmp_path)
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(ValueError, match=said):
        Recognizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("modalities", ['["text"]', '["text+a"]', "null"])
@pytest.mark.parametrize("extractors", [{}, {"text": {"columns": ["a", "b"]}}])
def test_a_model_without_fingerprints_is_refused(tmp_path, modalities, extractors):
    model = MMDFN({"text": 2}, 2, num_layers=1)
    model.extractors = extractors
    model.save_pretrained(tmp_path)
    data = f'{{"modalities": {modalities}, "in_channels": {{"text": 2}}}}'
    (tmp_path / "data.json").write_text(data)
    with pytest.raises(ValueError, match="must have the fingerprint of 'text'.* unknown origin"):
        Recognizer.from_pretrained(tmp_path)
