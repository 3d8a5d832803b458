"""Sound, pictures and models that are made at test time: nothing is downloaded."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from graphfusion.recordings.segment import Segment, Sound

RATE = 16_000


def frame(**columns):
    """Utterances, of one speaker in one conversation unless the columns differ."""
    import pandas as pd

    size = max(map(len, columns.values()))
    return pd.DataFrame({"conversation": ["a"] * size, "speaker": ["A"] * size, **columns})


def tone(seconds, pitch=150.0, level=0.3, rate=RATE):
    time = np.arange(round(seconds * rate)) / rate
    harmonics = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 8))
    return (level * harmonics / 2).astype(np.float32)


def clicks(seconds, times, rate=44_100):
    """Silence with 10 ms of a tone at each of these times."""
    samples = np.zeros(round(seconds * rate), np.float32)
    for time in times:
        first = round(time * rate)
        length = min(rate // 100, len(samples) - first)
        samples[first : first + length] = 0.8 * np.sin(np.arange(length) * 2 * np.pi * 1000 / rate)
    return samples


def write_sound(path, samples, rate=RATE):
    """By the ending: soundfile's formats, and M4A, MP4 (with pictures) or MKV by PyAV."""
    path = Path(path)
    if path.suffix in (".m4a", ".mp4", ".mkv"):
        size = round(len(samples) / rate * 25)
        pictures = None
        if path.suffix != ".m4a":
            pictures = [np.full((48, 64, 3), 2 * (n % 100), np.uint8) for n in range(size)]
        write_container(path, samples, rate, pictures)
    else:
        import soundfile

        soundfile.write(path, samples, rate)
    return str(path)


def write_container(
    path, samples, rate=RATE, pictures=None, fps=25, delay=0.0, options=None, codec="mpeg4"
):
    import av

    with av.open(str(path), "w", options=options or {}) as file:
        video = None
        if pictures is not None:
            video = file.add_stream(codec, rate=fps)
            video.height, video.width = pictures[0].shape[:2]
            video.pix_fmt, video.bit_rate = "yuv420p", 2_000_000
        audio = None if samples is None else file.add_stream("aac", rate=rate, layout="mono")
        for n, picture in enumerate(pictures or ()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, fps)
            file.mux(video.encode(frame))
        if video is not None:
            file.mux(video.encode())
        if audio is not None:
            for start in range(0, len(samples), 1024):
                part = samples[None, start : start + 1024]
                frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
                frame.pts, frame.sample_rate = start + round(delay * rate), rate
                frame.time_base = Fraction(1, rate)
                file.mux(audio.encode(frame))
            file.mux(audio.encode())
    return str(path)


def draw_face(mouth):
    """A picture of a face; positive numbers raise the corners of its mouth."""
    import cv2

    picture = np.full((240, 320, 3), 90, np.uint8)
    cv2.ellipse(picture, (160, 120), (58, 78), 0, 0, 360, (205, 175, 150), -1)
    for x in (136, 184):
        cv2.ellipse(picture, (x, 102), (15, 8), 0, 0, 360, (110, 80, 70), -1)
        cv2.circle(picture, (x, 103), 5, (30, 20, 20), -1)
        cv2.line(picture, (x - 13, 87), (x + 13, 87), (50, 30, 20), 5)
    cv2.line(picture, (160, 110), (160, 136), (225, 195, 170), 7)
    for side in (-1, 1):
        cv2.line(picture, (160, 164), (160 + 24 * side, 164 - mouth), (110, 40, 40), 5)
    return picture


def sound_segment(samples, rate=RATE):
    return Segment("a segment", sound=Sound(samples, rate))


def text_segment(text):
    return Segment("a segment", text=text)


def make_bert(folder):
    """A random BERT with a tokeniser of the letters and some words; 0.2 MB."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789.,!?'")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{a}" for a in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def make_hubert(folder):
    """A random HuBERT; 0.2 MB."""
    import torch
    from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16, 16, 16),
        conv_stride=(5, 8, 8),
        conv_kernel=(10, 8, 8),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    HubertModel(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return folder


class Letters:
    """Counts of a few letters: an extractor that needs nothing."""

    needs = "text"
    dim = 3

    def __init__(self, revision=1):
        self.fingerprint = {
            "extractor": "Letters",
            "revision": revision,
            "versions": {"letters": "1.0"},
        }
        self.calls = 0

    def __call__(self, segments):
        self.calls += 1
        return [[float(each.text.count(letter)) for letter in "aei"] for each in segments]


class Power:
    """Root mean square and duration: an extractor of sound that needs nothing."""

    needs = "audio"
    dim = 2
    fingerprint = {"extractor": "Power"}  # noqa: RUF012

    def __call__(self, segments):
        return [[each.sound.level, each.sound.duration] for each in segments]
