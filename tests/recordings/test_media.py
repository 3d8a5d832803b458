"""A slice of a file is where the clock says, to 5 ms, whatever the format."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.probe import probe
from graphfusion.recordings.media.sound import open_sound
from graphfusion.recordings.segment import Sound
from tests.recordings.made import RATE, clicks, tone, write_container, write_sound

pytest.importorskip("av", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

FORMATS = ("wav", "flac", "ogg", "mp3", "m4a", "mp4", "mkv")
TIMES = (0.35, 1.0, 1.71, 2.5, 3.33)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    return {
        kind: write_sound(folder / f"clicks.{kind}", clicks(4.0, TIMES), 44_100) for kind in FORMATS
    }


def onsets(sound, start):
    """When clicks begin, by the file's clock."""
    loud = np.abs(sound.samples) > 0.2
    first = np.flatnonzero(loud)
    if not first.size:
        return []
    begins = first[np.insert(np.diff(first) > sound.rate // 20, 0, True)]
    return list(start + begins / sound.rate)


@settings(max_examples=15)
@given(start=st.floats(0, 3.5), length=st.floats(0.1, 2), kind=st.sampled_from(FORMATS))
def test_a_slice_is_at_its_time(files, start, length, kind):
    end = min(start + length, 4.0)
    with open_sound(files[kind]) as file:
        sound = file.read(start, end)
    assert abs(sound.duration - (end - start)) < 0.005
    inside = [time for time in TIMES if start + 0.005 < time < end - 0.02]
    found = [time for time in onsets(sound, start) if start + 0.02 < time < end - 0.02]
    for time in inside:
        if time > start + 0.02:
            assert min(abs(time - each) for each in found) < 0.005, (kind, found)


@pytest.mark.parametrize("kind", FORMATS)
def test_slices_in_any_order_are_those_of_the_whole(files, kind):
    with open_sound(files[kind]) as file:
        whole = file.read(None, None).samples
        for start, end in ((0.5, 1.5), (1.2, 2.0), (3.0, 3.5), (0.25, 0.75), (0.0, 4.0)):
            part = file.read(start, end)
            first = round(start * part.rate)
            np.testing.assert_allclose(
                part.samples, whole[first : first + len(part.samples)], atol=2e-4
            )


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "m4a"])
def test_slices_of_words_and_pauses_are_those_of_the_whole(tmp_path, kind):
    rng = np.random.default_rng(0)
    pause = np.zeros(5_000, np.float32)
    words = [tone(0.5, pitch) * np.hanning(8_000) ** 0.5 for pitch in rng.uniform(90, 400, 10)]
    samples = np.concatenate([part for word in words for part in (word, pause)])
    path = write_sound(tmp_path / f"voice.{kind}", samples.astype(np.float32))
    with open_sound(path) as file:
        whole = file.read(None, None).samples
        for start in np.sort(rng.uniform(0, 7, 40)):
            part = file.read(start, start + 1)
            first = round(start * part.rate)
            np.testing.assert_allclose(
                part.samples, whole[first : first + len(part.samples)], atol=2e-4
            )


@pytest.mark.parametrize("kind", ["wav", "m4a"])
def test_what_is_beyond_the_end_is_refused(files, kind):
    with open_sound(files[kind]) as file:
        assert 0.4 < file.read(3.5, 4.06).duration < 0.57  # rounded times
        for start in (3.5, 8.0):
            with pytest.raises(OSError, match=rf"{kind}: audio must last 9.00 s, but ends after 4"):
                file.read(start, 9.0)
        assert abs(file.measure() - 4) < 0.06


def test_sound_that_begins_after_its_video_keeps_its_delay(tmp_path):
    pictures = [np.zeros((48, 64, 3), np.uint8)] * 50
    path = write_container(tmp_path / "late.mkv", clicks(1.0, [0.5]), 44_100, pictures, delay=0.8)
    with open_sound(path) as file:
        (onset,) = onsets(file.read(None, None), 0)
    assert abs(onset - 1.3) < 0.03  # the clock of Matroska has milliseconds; AAC delays by 21


@pytest.mark.parametrize("seconds", [0.2, 4.0])
def test_a_live_recording_is_measured_by_reading_it(tmp_path, seconds):
    import av

    pictures = [np.zeros((48, 64, 3), np.uint8)] * round(25 * seconds)
    path = write_container(
        tmp_path / "live.mkv", tone(seconds), 16_000, pictures, options={"live": "1"}
    )
    with av.open(path) as file:
        assert file.duration is None
    for kind in ("audio", "video"):
        assert abs(probe(path, kind) - seconds) < 0.13  # two frames of AAC


@pytest.mark.parametrize("kind", ["wav", "mkv"])
def test_channels_are_averaged(tmp_path, kind):
    import av

    both = np.stack([tone(1.0), np.zeros(16_000, np.float32)])
    if kind == "wav":
        import soundfile

        soundfile.write(tmp_path / "two.wav", both.T, 16_000, subtype="FLOAT")
    else:
        with av.open(str(tmp_path / "two.mkv"), "w") as file:
            stream = file.add_stream("pcm_s16le", rate=16_000, layout="stereo")
            whole = (both.T.reshape(1, -1) * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="stereo")
            frame.sample_rate = 16_000
            file.mux(stream.encode(frame))
            file.mux(stream.encode())
    with open_sound(str(tmp_path / f"two.{kind}")) as file:
        samples = file.read(0, 1).samples
    np.testing.assert_allclose(samples, both.mean(0)[: len(samples)], atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "codec"), [("mp4", "mpeg4"), ("mp4", "h264"), ("ts", "mpeg4"), ("ts", "h264")]
)
def test_frames_are_those_of_the_given_times(tmp_path, kind, codec):
    """In H.264, frames refer to later ones; a transport stream (ts) has no index."""
    pictures = [np.full((48, 64, 3), 2 * n, np.uint8) for n in range(100)]
    path = write_container(tmp_path / f"ramp.{kind}", None, pictures=pictures, codec=codec)
    with FrameReader(path) as frames:
        for start, end, rate in ((1.0, 2.0, 5), (0.5, 0.9, 25), (3.0, 3.4, 5), (0.0, 4.0, 1)):
            shown = [picture.mean() / 2 for picture in frames.read(start, end, rate)]
            expected = np.arange(round((end - start) * rate)) * 25 / rate + start * 25
            assert len(shown) == len(expected)
            np.testing.assert_allclose(shown, expected, atol=1.5)


def test_frames_of_two_segments_at_once_are_refused(tmp_path):
    pictures = [np.zeros((48, 64, 3), np.uint8)] * 50
    path = write_container(tmp_path / "still.mp4", None, pictures=pictures)
    with FrameReader(path) as frames:
        first = frames.read(0, 2, 5)
        next(first)
        next(frames.read(1, 2, 5))
        with pytest.raises(RuntimeError, match="one segment at a time"):
            next(first)


def test_a_probe_names_the_problem(tmp_path):
    assert "no such file" in probe(str(tmp_path / "none.wav"), "audio").lower()
    assert "no such file" in probe(str(tmp_path / "none.mp4"), "video").lower()
    for name in ("noise.wav", "noise.mp4", "noise.mp3"):
        (tmp_path / name).write_bytes(b"no sound at all" * 100)
        assert isinstance(probe(str(tmp_path / name), "audio"), str)
    path = write_sound(tmp_path / "sound.m4a", tone(1.0))
    assert probe(path, "video") == "it must have a stream of video, but has none"
    assert abs(probe(path, "audio") - 1) < 0.1


def test_video_without_a_frame_is_named(tmp_path):
    import av

    with av.open(str(tmp_path / "blind.nut"), "w") as file:
        video = file.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = file.add_stream("pcm_s16le", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, RATE), np.int16), "s16", "mono")
        frame.sample_rate = RATE
        file.mux(audio.encode(frame))
    assert probe(str(tmp_path / "blind.nut"), "video") == "it must have a frame, but has none"


def test_sound_that_is_damaged_or_cut_while_it_is_open_names_the_file(tmp_path):
    path = Path(write_sound(tmp_path / "half.flac", tone(4.0)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_sound(str(path)) as file, pytest.raises(OSError, match=r"half\.flac: .*flac decoder"):
        file.read(None, None)
    path = Path(write_sound(tmp_path / "cut.wav", tone(4.0)))
    with open_sound(str(path)) as file:
        os.truncate(path, 2 * RATE)
        with pytest.raises(OSError, match=r"cut\.wav: it must have 64000 samples, .* ends after 1"):
            file.read(None, None)


def test_resampling_keeps_the_sound():
    sound = Sound(tone(1.0, rate=44_100), 44_100).resample(16_000)
    assert sound.rate == 16_000
    assert abs(sound.duration - 1) < 0.002
    spectrum = np.abs(np.fft.rfft(sound.samples * np.hanning(len(sound.samples))))
    assert abs(spectrum.argmax() / sound.duration - 150) < 2
    assert sound.resample(16_000) is sound


def test_the_level_is_in_decibels_of_full_scale():
    assert Sound(np.ones(10, np.float32), 10).level == 0
    assert abs(Sound(np.full(10, 1e-3, np.float32), 10).level + 60) < 1e-4
    assert Sound(np.zeros(10, np.float32), 10).level == -np.inf
    assert Sound(np.zeros(0, np.float32), 10).level == -np.inf


def test_why_a_sound_is_absent():
    loud = np.full(1_600, 0.1, np.float32)
    assert Sound(loud, 16_000).absent is None
    assert Sound(loud[:-1], 16_000).absent == "under 100 ms"
    assert Sound(loud / 1_000, 16_000).absent == "below -60 dBFS"
    for samples in (np.zeros((9, 2), np.float32), np.array([np.nan, 0], np.float32)):
        with pytest.raises(ValueError, match=r"samples must be finite, of shape \[T\]"):
            Sound(samples, 10)
