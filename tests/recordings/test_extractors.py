"""Extractors of others' models: sizes, fingerprints, and vectors that depend on nothing else."""

import os
import shutil
import warnings

import numpy as np
import pytest

from graphfusion.datasets.checks.extractors import check_same, differences
from graphfusion.recordings import Absent, Segment
from graphfusion.recordings.extractors import rebuild
from graphfusion.recordings.fingerprint import file_digest, folder_digest
from tests.recordings.asserts import check_extractor
from tests.recordings.made import (
    RATE,
    draw_face,
    make_bert,
    make_hubert,
    sound_segment,
    text_segment,
    tone,
)

pytest.importorskip("pandas", reason="needs the extra `recordings`")

SIZES = {"eGeMAPSv02": 88, "IS09": 384, "IS10": 1582, "ComParE_2016": 6373}


@pytest.mark.parametrize("name", SIZES)
def test_opensmile(name):
    pytest.importorskip("opensmile", reason="needs the extra `opensmile`")
    from graphfusion.recordings import OpenSmile

    extractor = OpenSmile(name)
    assert extractor.dim == SIZES[name]
    values = check_extractor(
        extractor, [sound_segment(tone(1.0, 120)), sound_segment(tone(1.0, 240))]
    )
    assert np.abs(values[0] - values[1]).max() > 0.1
    assert repr(extractor) == f"OpenSmile(feature_set={name!r})"


@pytest.mark.parametrize("pitch", [110.0, 160.0, 220.0])
def test_opensmile_finds_the_pitch_that_was_made(pitch):
    opensmile = pytest.importorskip("opensmile", reason="needs the extra `opensmile`")
    from graphfusion.recordings import OpenSmile

    names = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02).feature_names
    column = names.index("F0semitoneFrom27.5Hz_sma3nz_amean")
    (vector,) = OpenSmile()([sound_segment(tone(2.0, pitch))])
    assert abs(vector[column] - 12 * np.log2(pitch / 27.5)) < 0.3


def test_opensmile_is_that_of_its_package():
    opensmile = pytest.importorskip("opensmile", reason="needs the extra `opensmile`")
    from graphfusion.recordings import OpenSmile

    alone = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02)
    samples = tone(1.5, 130)
    expected = alone.process_signal(samples, RATE).to_numpy()[0]
    assert np.array_equal(OpenSmile()([sound_segment(samples)])[0], expected)


def test_full_scale_does_not_wrap():
    pytest.importorskip("opensmile", reason="needs the extra `opensmile`")
    from graphfusion.recordings import OpenSmile

    square = np.sign(np.sin(2 * np.pi * 150 * np.arange(RATE) / RATE)).astype(np.float32)
    full, nearly = OpenSmile()([sound_segment(square), sound_segment(square * 0.999)])
    assert np.abs(full - nearly).max() < 0.2 * np.abs(nearly).max()


def test_opensmile_changes_no_filter_of_warnings(monkeypatch):
    pytest.importorskip("opensmile", reason="needs the extra `opensmile`")
    from graphfusion.recordings import OpenSmile
    from graphfusion.recordings.extractors import opensmile as module

    before, during = list(warnings.filters), []  # of all threads

    def smile(*_):
        during.append(list(warnings.filters))
        return np.zeros((1, 88))

    monkeypatch.setattr(module, "_smile", lambda _: smile)
    OpenSmile()([sound_segment(tone(1.0))])
    assert during == [before]


def test_a_segment_that_is_too_short_for_opensmile_is_named():
    opensmile = pytest.importorskip("opensmile", reason="needs the extra `opensmile`")
    from graphfusion.recordings import OpenSmile

    del opensmile
    with warnings.catch_warnings(action="ignore"):
        (vector,) = OpenSmile()([sound_segment(tone(0.01))])
    assert np.isnan(vector).all()  # which extraction refuses


def test_opensmile_refuses_another_set():
    pytest.importorskip("opensmile", reason="needs the extra `opensmile`")
    from graphfusion.recordings import OpenSmile

    with pytest.raises(ValueError, match=r"feature_set must be one of \['eGeMAPSv02', .* 'MFCC'"):
        OpenSmile("MFCC")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    pytest.importorskip("transformers", reason="needs the extra `text`")
    return make_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def sentences(bert, tmp_path_factory):
    package = pytest.importorskip("sentence_transformers", reason="needs the extra `text`")
    folder = tmp_path_factory.mktemp("sentences")
    package.SentenceTransformer(str(bert), device="cpu").save(str(folder))
    return folder


TEXTS = ["Where have you been?", "Here.", "a" * 500]


def test_sentence_text(sentences):
    from graphfusion.recordings import SentenceText

    extractor = SentenceText(str(sentences))
    assert extractor.dim == 32
    values = check_extractor(extractor, [text_segment(text) for text in TEXTS])
    assert np.abs(values[0] - values[1]).max() > 1e-3
    assert extractor.fingerprint["sha256"] == folder_digest(sentences)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_transformer_text(bert, pooling):
    from graphfusion.recordings import TransformerText

    extractor = TransformerText(str(bert), pooling)
    check_extractor(extractor, [text_segment(text) for text in TEXTS])
    assert pooling in repr(extractor)


def test_poolings_differ_and_another_is_refused(bert):
    from graphfusion.recordings import TransformerText

    one, other = (TransformerText(str(bert), pooling) for pooling in ("mean", "first"))
    assert differences(one.fingerprint, other.fingerprint) == ["options"]
    segments = [text_segment("Hello")]
    assert np.abs(one(segments)[0] - other(segments)[0]).max() > 1e-3
    with pytest.raises(ValueError, match="pooling must be one of"):
        TransformerText(str(bert), "max")


@pytest.mark.parametrize(("pooling", "layer", "dim"), [("mean", -1, 32), ("mean+std", 1, 64)])
def test_speech_model(tmp_path, pooling, layer, dim):
    pytest.importorskip("transformers", reason="needs the extra `speech`")
    from graphfusion.recordings import SpeechModel

    folder = make_hubert(tmp_path)
    extractor = SpeechModel(str(folder), pooling, layer)
    assert extractor.dim == dim
    values = check_extractor(
        extractor, [sound_segment(tone(0.5, 120)), sound_segment(tone(0.8, 240))]
    )
    assert np.abs(values[0] - values[1]).max() > 1e-4
    higher = sound_segment(tone(0.5, 120, rate=48_000), 48_000)
    np.testing.assert_allclose(extractor([higher])[0], values[0], atol=0.1)
    for options in ({"pooling": "max"}, {"layer": 3}):
        with pytest.raises(ValueError, match="must be"):
            SpeechModel(str(folder), **options)


def test_faces():
    pytest.importorskip("cv2", reason="needs the extra `faces`")
    from graphfusion.recordings import Faces

    empty = np.full((240, 320, 3), 90, np.uint8)
    segments = [
        Segment("x", frames=lambda m=m: iter([empty, draw_face(m), empty])) for m in (8, -8)
    ]
    values = check_extractor(Faces(), segments)
    assert np.abs(values[0] - values[1]).max() > 0.05
    assert Faces()([Segment("x", frames=lambda: iter([empty]))]) == [Absent("no face")]


def test_faces_need_an_opencv_with_cascades(monkeypatch):
    cv2 = pytest.importorskip("cv2", reason="needs the extra `faces`")
    from graphfusion.recordings import Faces

    monkeypatch.delattr(cv2, "CascadeClassifier")
    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    with pytest.raises(ImportError, match="must be older than 5 to have cascades, but is 5.0.0"):
        Faces()


def test_models_are_identified_by_their_weights(sentences, tmp_path):
    from graphfusion.recordings import SentenceText

    moved = shutil.copytree(sentences, tmp_path / "moved")
    one, other = SentenceText(str(sentences)), SentenceText(str(moved))
    assert one.fingerprint["model"] != other.fingerprint["model"]
    assert differences(one.fingerprint, other.fingerprint) == []
    (weights,) = moved.glob("*.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    changed = shutil.copytree(moved, tmp_path / "changed")
    (changed / weights.name).write_bytes(data)
    third = SentenceText(str(changed))
    assert differences(one.fingerprint, third.fingerprint) == ["sha256"]


def test_a_model_that_is_saved_again_is_another(bert, tmp_path):
    import torch
    from transformers import AutoModel

    from graphfusion.recordings import TransformerText

    folder = shutil.copytree(bert, tmp_path / "bert")
    segments = [Segment("one", text="two words")]
    before = TransformerText(str(folder), "mean")
    (first,) = before(segments)
    model = AutoModel.from_pretrained(folder)
    for weight in model.parameters():
        torch.nn.init.normal_(weight)
    model.save_pretrained(folder)
    after = TransformerText(str(folder), "mean")
    assert differences(before.fingerprint, after.fingerprint) == ["sha256"]
    (second,) = after(segments)
    assert not np.allclose(first, second)
    assert np.array_equal(before(segments)[0], first)


def test_a_model_that_is_replaced_before_it_is_loaded(bert, tmp_path):
    from graphfusion.recordings import TransformerText
    from graphfusion.recordings.extractors import hub

    folder = shutil.copytree(bert, tmp_path / "bert")
    extractor = TransformerText(str(folder), "mean")
    hub.load.cache_clear()  # as in another process
    (folder / "more.json").write_text("{}")
    with pytest.raises(ValueError, match="but has changed: make a new extractor"):
        extractor([Segment("one", text="two words")])


def test_all_files_that_may_be_loaded_count(bert, tmp_path):
    folder = shutil.copytree(bert, tmp_path / "bert")
    before = folder_digest(folder)
    unused = "README.md", "face.png", ".git/HEAD", "onnx/config.json", "openvino/model.bin", "a.h5"
    for name in unused:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert folder_digest(folder) == before
    for name in ("bpe.codes", "spiece.model", "merges.txt", "1_Pooling/config.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
        assert folder_digest(folder) != before
        before = folder_digest(folder)


def test_a_model_without_a_maximum_length(bert, tmp_path):
    from transformers import XLNetConfig, XLNetModel

    from graphfusion.recordings import TransformerText

    sizes = {"vocab_size": 100, "d_model": 32, "n_layer": 1, "n_head": 2, "d_inner": 32}
    XLNetModel(XLNetConfig(**sizes)).save_pretrained(tmp_path)
    for path in bert.glob("*token*"):
        shutil.copy(path, tmp_path / path.name)
    extractor = TransformerText(str(tmp_path), "mean")
    check_extractor(extractor, [text_segment(text) for text in TEXTS])


def test_a_folder_that_is_gone_is_no_name_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    known = {"extractor": "SentenceText", "model": "models/words", "revision": None}
    with pytest.raises(FileNotFoundError, match="for 'text': its model was in models/words, but"):
        rebuild("text", known)


def test_no_model_is_downloaded_offline(monkeypatch):
    pytest.importorskip("sentence_transformers", reason="needs the extra `text`")
    import huggingface_hub as hub

    from graphfusion.recordings import SentenceText

    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match=r"(?i)offline|cannot find"):
        SentenceText("nobody/nothing")


def test_a_downloaded_model_has_its_commit(bert, tmp_path, monkeypatch):
    import huggingface_hub as hub

    from graphfusion.recordings import TransformerText

    folder, asked = shutil.copytree(bert, tmp_path / "snapshots/4f3a"), []

    def download(model, revision, ignore_patterns):
        asked.append((model, revision))
        assert not [each for each in ignore_patterns if each.endswith(("safetensors", "json"))]
        return str(folder)

    monkeypatch.setattr(hub, "snapshot_download", download)
    found = TransformerText("ann/words", "mean", revision="main").fingerprint
    assert asked == [("ann/words", "main")]
    assert (found["model"], found["revision"]) == ("ann/words", "4f3a")
    assert found["sha256"] == folder_digest(bert)


def test_a_folder_has_no_revision(bert):
    from graphfusion.recordings import TransformerText

    with pytest.raises(ValueError, match="revision must be None for a folder"):
        TransformerText(str(bert), "mean", revision="main")


def test_only_ours_are_rebuilt():
    with pytest.raises(ValueError, match="made by 'os.system', which is not built in"):
        rebuild("audio", {"extractor": "os.system"})


def test_versions_do_not_change_the_fingerprint():
    one = {"extractor": "x", "versions": {"a": "1"}, "model": "m"}
    assert differences(one, {**one, "versions": {"a": "2"}}) == []
    assert differences(one, {**one, "model": "n"}) == ["model"]
    assert differences(one, {**one, "more": 1}) == ["more"]


def test_sampling_rates_are_compared_by_a_warning():
    then = {"extractor": "x", "sampling_rates": [16_000, 44_100]}
    for now in ({"extractor": "x"}, {"extractor": "x", "sampling_rates": [44_100]}):
        check_same("audio", now, then)
        check_same("audio", then, {"extractor": "x"})
    with pytest.warns(UserWarning, match=r"\[16000, 44100\] Hz, but some has \[8000\] Hz"):
        check_same("audio", {"extractor": "x", "sampling_rates": [8_000, 16_000]}, then)


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a folder of a model"):
        folder_digest(tmp_path)


def test_a_file_of_the_same_size_and_time_is_another(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    before, state = file_digest(path), path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_mtime_ns == state.st_mtime_ns
    assert file_digest(path) != before
