"""Files with gaps, turned pictures, an unknown duration or another beginning, or cut off."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.probe import probe
from graphfusion.recordings.media.sound import open_sound
from tests.recordings.made import RATE, clicks, tone, write_container, write_sound

av = pytest.importorskip("av", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

TIMES = (0.5, 1.5, 2.5, 3.5)
PICTURES = [np.full((48, 64, 3), 2 * n, np.uint8) for n in range(100)]


def onsets(sound):
    loud = np.flatnonzero(np.abs(sound.samples) > 0.2)
    return loud[np.insert(np.diff(loud) > sound.rate // 20, 0, True)] / sound.rate


def write_packets(
    path, samples, clock, codec="pcm_s16le", pictures=(), first=0, video_codec="mpeg4"
):
    """Sound whose packets have the times of `clock`, from samples to samples."""
    with av.open(str(path), "w") as file:
        if len(pictures):
            video = file.add_stream(video_codec, rate=25)
            video.height, video.width, video.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        audio = file.add_stream(codec, rate=RATE, layout="mono")
        for n, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = n + first, Fraction(1, 25)
            file.mux(video.encode(frame))
        if len(pictures):
            file.mux(video.encode())
        for start in range(0, len(samples), 1000):
            whole = (samples[None, start : start + 1000] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(whole, format="s16", layout="mono")
            frame.pts, frame.sample_rate = clock(start), RATE
            frame.time_base = Fraction(1, RATE)
            file.mux(audio.encode(frame))
        file.mux(audio.encode())
    return str(path)


@pytest.mark.parametrize("pictures", [(), PICTURES])
@pytest.mark.parametrize("gap", [0.05, 5.0])
def test_a_gap_in_the_sound_is_silence(tmp_path, gap, pictures):
    samples = clicks(4.0, TIMES, RATE)
    late = round(gap * RATE)
    path = write_packets(
        tmp_path / "gap.mkv", samples, lambda n: n + late * (n >= 2 * RATE), pictures=pictures
    )
    expected = [time + gap * (time > 2) for time in TIMES]
    with open_sound(path) as file:
        whole = file.read(None, None)
        np.testing.assert_allclose(onsets(whole), expected, atol=0.002)
        for start in (3.0 + gap, 1.0):  # from the buffer, and by opening the file again
            part = file.read(start, start + 1)
            first = round(start * RATE)
            assert np.array_equal(part.samples, whole.samples[first : first + RATE])


def test_a_gap_of_hours_is_refused(tmp_path):
    path = write_packets(tmp_path / "gap.mkv", tone(2.0), lambda n: n + 3700 * RATE * (n >= RATE))
    with open_sound(path) as file:
        assert file.read(0.0, 0.9).duration == 0.9
        with pytest.raises(OSError, match=r"gap\.mkv: audio must have no gap .* has one of 3700 s"):
            file.read(None, None)


def test_clocks_that_are_rounded_make_no_gap(tmp_path):
    samples = clicks(4.0, TIMES, RATE)
    path = write_packets(
        tmp_path / "round.mkv", samples, lambda n: n + (n // 1000 % 2) * RATE // 100
    )
    with open_sound(path) as file:
        np.testing.assert_allclose(file.read(None, None).samples, samples, atol=1e-4)


ANGLES = {0: (1, 0, 0, 1), 90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), -90: (0, 1, -1, 0)}


@pytest.mark.parametrize("angle", ANGLES)
def test_pictures_are_shown_as_players_do(tmp_path, angle):
    """Phones store the pictures of their sensor, and a matrix that players apply."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32, 0] = picture[24:, :32, 1] = picture[24:, 32:, 2] = 250
    path = Path(write_container(tmp_path / "phone.mp4", None, pictures=[picture] * 5))
    a, b, c, d = (value << 16 for value in ANGLES[angle])
    matrices = [
        b"".join(value.to_bytes(4, "big", signed=True) for value in (*row, 0, 0, 0, 1 << 30))
        for row in ((1 << 16, 0, 0, 0, 1 << 16), (a, b, 0, c, d))
    ]
    header, track, rest = path.read_bytes().partition(b"tkhd")
    path.write_bytes(header + track + rest.replace(*matrices, 1))
    with FrameReader(str(path)) as frames:
        shown = next(frames.read(0, None))
    np.testing.assert_allclose(shown, np.rot90(picture, angle // 90), atol=60)


def read(path, need, end):
    with (open_sound if need == "audio" else FrameReader)(path) as file:
        found = file.read(0.0, end)
        return found if need == "audio" else list(found)


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
@pytest.mark.parametrize("need", ["audio", "video"])
def test_a_file_that_has_been_cut_off_is_noticed(tmp_path, kind, need):
    options = {"movflags": "faststart"} if kind == "mp4" else {}
    path = Path(
        write_container(tmp_path / f"cut.{kind}", tone(4.0), RATE, PICTURES, options=options)
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    if kind == "mkv":  # read to its end
        assert probe(str(path), need) < 3
        return
    said = rf"cut\.mp4: (Invalid data|{need} must last)"
    for end in (3.5, None):
        with pytest.raises(OSError, match=said):
            read(str(path), need, end)


def test_sound_that_ends_before_its_video_is_refused(tmp_path):
    path = write_container(tmp_path / "short.mp4", tone(2.0), RATE, PICTURES)
    assert abs(probe(path, "audio") - 2) < 0.1
    assert abs(probe(path, "video") - 4) < 0.1
    with open_sound(path) as file, pytest.raises(OSError, match="last 4.00 s, but ends after 2.0"):
        file.read(1.5, 4.0)
    with FrameReader(write_container(tmp_path / "long.mkv", tone(4.0), RATE, PICTURES[:50])) as one:
        assert abs(one.measure() - 4) < 0.1  # the last picture is shown until the end
        assert len(list(one.read(1.2, 4.0))) in (4, 5)


def test_a_file_is_measured_from_its_beginning(tmp_path):
    path = write_packets(
        tmp_path / "later.mkv",
        tone(2.0),
        lambda n: n + 10 * RATE,
        pictures=PICTURES[:50],
        first=250,
    )
    for need in ("audio", "video"):
        assert abs(probe(path, need) - 2) < 0.1


def test_files_without_a_duration_are_read_to_their_end(tmp_path):
    """FFmpeg estimates the duration of ADTS from the bit rate of its beginning."""
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5 * RATE)
    samples = np.concatenate([noise, np.zeros(25 * RATE)]).astype(np.float32)
    path = write_packets(tmp_path / "a.aac", samples, lambda n: n, codec="aac")
    with av.open(path) as file:
        assert abs(file.duration / 1e6 - 30) > 5
    assert abs(probe(path, "audio") - 30) < 0.2


def test_video_that_cannot_be_sought_is_decoded_from_its_beginning(tmp_path):
    """In FLV, the sound may begin before the first keyframe."""
    path = write_packets(
        tmp_path / "late.flv", tone(4.0), lambda n: n, "aac", PICTURES, 2, video_codec="flv"
    )
    with FrameReader(path) as frames:
        assert len(list(frames.read(0.0, 1.0))) == 5
        assert len(list(frames.read(1.0, 2.0))) == 5


def test_a_cover_is_no_video(tmp_path):
    with av.open(str(tmp_path / "song.m4a"), "w", format="mp4") as file:
        audio = file.add_stream("aac", rate=RATE, layout="mono")
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic.value
        file.mux(cover.encode(av.VideoFrame.from_ndarray(PICTURES[5], format="rgb24")))
        file.mux(cover.encode())
        frame = av.AudioFrame.from_ndarray(tone(1.0)[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        file.mux(audio.encode(frame))
        file.mux(audio.encode())
    assert (
        probe(str(tmp_path / "song.m4a"), "video") == "it must have a stream of video, but has none"
    )
    assert abs(probe(str(tmp_path / "song.m4a"), "audio") - 1) < 0.1


def test_the_times_of_wav_are_checked_too(tmp_path):
    with open_sound(write_sound(tmp_path / "a.wav", tone(1.0))) as file:
        assert file.read(0.0, 1.1).duration == 1
        with pytest.raises(OSError, match=r"a\.wav: audio must last 1.20 s, but ends after 1.00 s"):
            file.read(0.0, 1.2)
