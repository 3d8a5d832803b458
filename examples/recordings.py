"""From recordings to predictions: features of audio, video and text, training, and prediction.

    python examples/recordings.py [FOLDER]

Synthesises a small corpus of videos, extracts features, trains a model, and predicts a new video.
It needs no network and takes about two minutes. The label determines the pitch and loudness of the
voices, the mouths of the drawn faces, and half of the words. **It tests the pipeline: voices and
faces are synthetic, and there is no emotion in them.** Word vectors are random. For pretrained
ones, use a model of the Hugging Face Hub, such as
`SentenceText("sentence-transformers/all-MiniLM-L6-v2")`.

Needs `pip install 'graphfusion[train,opensmile,text,faces]'`.
"""

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from graphfusion import MMDFN
from graphfusion.datasets import Corpus, save
from graphfusion.recordings import Faces, OpenSmile, Recognizer, SentenceText, extract
from graphfusion.training import Settings, fit

RATE, FRAMES = 16_000, 5  # samples and frames per second
PITCH = {"calm": 110.0, "glad": 220.0, "angry": 160.0}  # in Hz
LOUDNESS = {"calm": 0.1, "glad": 0.2, "angry": 0.6}
MOUTH = {"calm": 0, "glad": 8, "angry": -8}  # pixels
VOWELS = [(730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240)]  # in Hz
WORDS = {
    "calm": ["all right", "it is fine", "as you like"],
    "glad": ["how wonderful", "that is great news", "what a lovely day"],
    "angry": ["leave me alone", "that is a lie", "I have had enough"],
}
SMALL_TALK = ["well", "you know", "yes", "so", "and then"]
CLASSES = tuple(WORDS)


class Said(NamedTuple):
    """Description of an utterance, from which audio and video are synthesised."""

    speaker: str
    label: str
    text: str
    start: float
    end: float
    pitch: float
    shown: bool


def draw_conversation(rng: np.random.Generator, size: int = 8) -> list[Said]:
    """Draws a conversation; labels persist for some utterances and show in half of the texts."""
    said: list[Said] = []
    label, start = str(rng.choice(CLASSES)), 0.0
    for u in range(size):
        if rng.random() < 0.4:
            label = str(rng.choice(CLASSES))
        speaker = "Ann" if u % 2 else "Bob"
        text = str(rng.choice(WORDS[label] if rng.random() < 0.5 else SMALL_TALK))
        end = start + float(rng.integers(8, 15)) / 10
        # Pitch also depends on the speaker, and varies between utterances.
        pitch = PITCH[label] * (1.2 if speaker == "Ann" else 1.0) * float(rng.normal(1, 0.1))
        said.append(Said(speaker, label, text, start, end, pitch, rng.random() < 0.8))
        start = end
    return said


def make_voice(each: Said, rng: np.random.Generator) -> NDArray[np.float32]:
    """Synthesises a sequence of vowels: harmonics of a pitch, filtered by formants."""
    size = round((each.end - each.start) * RATE)
    syllables, phase = [np.zeros(0)], 0.0
    while sum(map(len, syllables)) < size:
        time = np.arange(round(RATE * rng.uniform(0.16, 0.24))) / RATE
        phases = phase + 2 * np.pi * each.pitch * float(rng.normal(1, 0.01)) * time
        phase = phases[-1]
        source = sum(np.cos(k * phases) / k for k in range(1, 30) if k * each.pitch < 5000)
        spectrum = np.fft.rfft(source)
        frequencies = np.fft.rfftfreq(len(time), 1 / RATE)
        shape = zip(rng.choice(VOWELS), (60, 90, 150), (4, 2, 1), strict=True)
        spectrum *= sum(
            gain / (1 + ((frequencies - formant) / width) ** 2) for formant, width, gain in shape
        )
        syllable = np.fft.irfft(spectrum, len(time))
        envelope = np.minimum(1, np.minimum(time / 0.03, time[::-1] / 0.04))
        syllables.append(envelope * syllable / np.abs(syllable).max())
    loudness = LOUDNESS[each.label] * float(rng.lognormal(0, 0.3))
    voice = np.concatenate(syllables)[:size] * min(loudness, 0.9)
    return np.asarray(voice + 1e-3 * rng.normal(size=size), np.float32)


def draw_face(each: Said, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draws a frame; if the utterance shows a face, OpenCV's cascade can detect it."""
    picture = np.full((240, 320, 3), 90, np.uint8)
    if each.shown:
        x, y = 160 + int(rng.integers(-15, 16)), 120 + int(rng.integers(-8, 9))
        cv2.ellipse(picture, (x, y), (58, 78), 0, 0, 360, (205, 175, 150), -1)
        cv2.ellipse(picture, (x, y - 55), (62, 38), 0, 180, 360, (60, 40, 30), -1)
        for eye in (x - 24, x + 24):
            cv2.ellipse(picture, (eye, y - 18), (15, 8), 0, 0, 360, (110, 80, 70), -1)
            cv2.ellipse(picture, (eye, y - 17), (11, 6), 0, 0, 360, (240, 240, 240), -1)
            cv2.circle(picture, (eye, y - 17), 5, (30, 20, 20), -1)
            cv2.line(picture, (eye - 13, y - 33), (eye + 13, y - 33), (50, 30, 20), 5)
        cv2.line(picture, (x, y - 10), (x, y + 16), (225, 195, 170), 7)
        cv2.ellipse(picture, (x, y + 20), (11, 5), 0, 0, 360, (150, 110, 95), -1)
        bend = MOUTH[each.label]
        for side in (-1, 1):
            cv2.line(picture, (x, y + 44), (x + 24 * side, y + 44 - bend), (110, 40, 40), 5)
    return np.asarray(cv2.resize(picture, (160, 120), interpolation=cv2.INTER_AREA), np.uint8)


def write_video(path: Path, said: list[Said], rng: np.random.Generator) -> None:
    """Writes a conversation as a video, in H.264 and AAC."""
    samples = np.concatenate([make_voice(each, rng) for each in said])
    with av.open(path, "w") as file:
        video = file.add_stream("libx264", rate=FRAMES)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = file.add_stream("aac", rate=RATE, layout="mono")
        for n in range(round(said[-1].end * FRAMES)):
            now = next(each for each in said if n / FRAMES < each.end - 1e-6)
            picture = av.VideoFrame.from_ndarray(draw_face(now, rng), format="rgb24")
            picture.pts, picture.time_base = n, Fraction(1, FRAMES)
            file.mux(video.encode(picture))
        file.mux(video.encode())
        for start in range(0, len(samples), 1024):
            part = samples[None, start : start + 1024]
            sound = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            sound.pts, sound.time_base, sound.sample_rate = start, Fraction(1, RATE), RATE
            file.mux(audio.encode(sound))
        file.mux(audio.encode())


def make_recordings(folder: Path, num_conversations: int, seed: int = 0) -> list[list[Said]]:
    """Writes videos and the table `recordings.csv`; the last fifth is the test split."""
    rng = np.random.default_rng(seed)
    conversations = [draw_conversation(rng) for _ in range(num_conversations)]
    rows = []
    for number, said in enumerate(conversations):
        name = f"call{number}"
        write_video(folder / f"{name}.mp4", said, rng)
        split = "train" if number < 0.8 * num_conversations else "test"
        file = f"{name}.mp4"
        rows += [
            {
                "conversation": name,
                "speaker": each.speaker,
                "text": each.text,
                "start": each.start,
                "end": each.end,
                "audio": file,
                "video": file,
                "label": each.label,
                "split": split,
            }
            for each in said
        ]
    pd.DataFrame(rows).to_csv(folder / "recordings.csv", index=False)
    return conversations


def make_sentence_model(folder: Path) -> None:
    """Saves a sentence-transformers model that averages random word vectors."""
    words = sorted(
        {word for each in (*WORDS.values(), SMALL_TALK) for t in each for word in t.split()}
    )
    vocabulary = {"[UNK]": 0} | {word.lower(): n for n, word in enumerate(words, 1)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(0).normal(size=(len(vocabulary), 32)).astype(np.float32)
    embedding = StaticEmbedding(tokenizer, embedding_weights=vectors)
    SentenceTransformer(modules=[embedding], device="cpu").save(str(folder))


def train(corpus: Corpus, folder: Path, epochs: int = 40, causal: bool = False) -> MMDFN:
    """Trains MM-DFN, and loads it from the run's `model` folder."""
    torch.manual_seed(0)
    model = MMDFN(
        corpus.in_channels,
        corpus.num_classes,
        class_names=corpus.classes,
        num_layers=4,
        dropout=0.3,
        causal=causal,
    )
    fit(model, corpus, folder, Settings(lr=1e-3, batch_size=8, epochs=epochs))
    return MMDFN.from_pretrained(folder / "model")


def score(model: MMDFN, corpus: Corpus) -> float:
    """Accuracy on the test utterances."""
    with torch.no_grad():
        right = torch.cat([model(each).argmax(1) == each.y for each in corpus.splits["test"]])
    return float(right.float().mean())


def write_subtitles(path: Path, said: list[Said]) -> None:
    """Writes WebVTT subtitles, with the speakers as voice tags."""
    cues = [f"{_clock(e.start)} --> {_clock(e.end)}\n<v {e.speaker}>{e.text}\n" for e in said]
    path.write_text("\n".join(["WEBVTT\n", *cues]))


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60):02}:{seconds % 60:06.3f}"


def main(folder: Path, num_conversations: int = 24, epochs: int = 40) -> dict[str, Any]:
    """Runs all steps; returns the accuracy on the test split and on the new recording."""
    folder.mkdir(parents=True, exist_ok=True)
    make_recordings(folder, num_conversations)
    make_sentence_model(folder / "words")
    corpus = extract(
        folder / "recordings.csv",
        {
            "text": SentenceText(str(folder / "words")),
            "audio": OpenSmile("eGeMAPSv02"),
            "video": Faces(),
        },
        classes=CLASSES,
        cache=folder / "features",
        workers=2,
    )
    save(corpus, folder / "corpus.safetensors")
    print(corpus)
    accuracy = score(train(corpus, folder / "run", epochs), corpus)
    print(f"test accuracy: {100 * accuracy:.0f} %")

    rng = np.random.default_rng(1)
    said = draw_conversation(rng)
    write_video(folder / "new.mp4", said, rng)
    write_subtitles(folder / "new.vtt", said)
    recognizer = Recognizer.from_pretrained(folder / "run/model")
    predictions = recognizer.to_html(folder / "new.html", folder / "new.mp4", folder / "new.vtt")
    print(predictions.assign(made_as=[each.label for each in said]).to_string())
    right = [each.label == guess for each, guess in zip(said, predictions.predicted, strict=True)]
    return {"test": accuracy, "new": float(np.mean(right))}


if __name__ == "__main__":
    command = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    command.add_argument("folder", nargs="?", type=Path, default=Path("recordings_example"))
    main(command.parse_args().folder)
