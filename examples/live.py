"""Live prediction: voice activity detection, feature extraction and a causal model.

    python examples/live.py [FOLDER]

Each speaker has a microphone. silero-vad detects the end of an utterance, openSMILE extracts its
features, and the stream of a causal model predicts its class. The training recordings are segmented
by the same detector, because features depend on the segmentation. The example measures the time of
each step. Voices are synthetic, as in `recordings.py`, so it tests the pipeline and its speed, not
emotion recognition.

Needs `pip install 'graphfusion[train,opensmile,text,faces]' silero-vad onnxruntime`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import soundfile
import torch
from numpy.typing import NDArray
from recordings import CLASSES, RATE, Said, draw_conversation, make_voice, score, train
from silero_vad import VADIterator, load_silero_vad

from graphfusion import MMDFN
from graphfusion.recordings import OpenSmile, Segment, Sound, extract

CHUNK = 512  # samples, 32 ms: the input size of silero-vad
PAUSE = 0.6  # seconds between utterances

Channels = dict[str, NDArray[np.float32]]


def make_channels(said: list[Said], rng: np.random.Generator) -> tuple[Channels, list[float]]:
    """Synthesises an audio channel for each speaker, and returns the start of each utterance."""
    size = round((sum(each.end - each.start + PAUSE for each in said) + 2 * PAUSE) * RATE)
    channels = {each.speaker: 1e-3 * rng.normal(size=size) for each in said}
    starts, place = [], round(PAUSE * RATE)
    for each in said:
        voice = make_voice(each, rng)
        channels[each.speaker][place : place + len(voice)] = voice
        starts.append(place / RATE)
        place += len(voice) + round(PAUSE * RATE)
    return {name: samples.astype(np.float32) for name, samples in channels.items()}, starts


def detect(channels: Channels, times: list[float]) -> Iterator[tuple[str, int, int]]:
    """Detects utterances in all channels, in steps of 32 ms.

    Args:
        channels: The samples of each speaker.
        times: A list to which the seconds of each step are appended.

    Yields:
        The speaker and the first and last sample of each utterance, as soon as it ends.
    """
    waits = {"sampling_rate": RATE, "min_silence_duration_ms": 300}
    detectors = {name: VADIterator(load_silero_vad(onnx=True), **waits) for name in channels}
    starts: dict[str, int] = {}
    for place in range(0, min(map(len, channels.values())) - CHUNK + 1, CHUNK):
        for name, samples in channels.items():
            begin = perf_counter()
            found = detectors[name](torch.from_numpy(samples[place : place + CHUNK])) or {}
            times.append(perf_counter() - begin)
            if "start" in found:
                starts[name] = max(found["start"], 0)
            if "end" in found:
                yield name, starts[name], found["end"]


def make_table(folder: Path, num_conversations: int) -> Path:
    """Writes an audio file for each channel, and a table of the detected utterances."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(num_conversations):
        said = draw_conversation(rng)
        channels, starts = make_channels(said, rng)
        for name, samples in channels.items():
            soundfile.write(folder / f"{number}_{name}.wav", samples, RATE)
        for name, first, last in detect(channels, []):
            nearest = int(np.abs(np.array(starts) - first / RATE).argmin())
            row = (f"call{number}", name, first / RATE, last / RATE, f"{number}_{name}.wav")
            split = "train" if number < 0.8 * num_conversations else "test"
            rows.append((*row, said[nearest].label, split))
    columns = ["conversation", "speaker", "start", "end", "audio", "label", "split"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "live.csv", index=False)
    return folder / "live.csv"


def listen(model: MMDFN, channels: Channels) -> dict[str, list[float]]:
    """Prints a prediction for each utterance when it ends.

    Returns:
        Seconds of each detection step, and of each utterance's feature extraction and prediction.
    """
    smile, stream = OpenSmile("eGeMAPSv02"), model.stream()
    times: dict[str, list[float]] = {"detection": [], "features": [], "prediction": []}
    order: dict[str, int] = {}
    for name, first, last in detect(channels, times["detection"]):
        sound = Sound(channels[name][first:last], RATE)
        begin = perf_counter()
        vector, present = np.zeros(smile.dim, np.float32), sound.absent is None  # as in training
        if present:
            (vector,) = smile([Segment(f"{name} at {first / RATE:.1f} s", sound=sound)])
        middle = perf_counter()
        speaker = torch.tensor([order.setdefault(name, len(order))])
        features = {"audio": torch.from_numpy(vector)[None]}
        logits = stream.step(features, speaker, present={"audio": torch.tensor([present])})
        times["features"].append(middle - begin)
        times["prediction"].append(perf_counter() - middle)
        label = model.class_names[int(logits.argmax())]
        print(f"{first / RATE:6.2f} to {last / RATE:6.2f} s  {name}: {label}")
    return times


def main(folder: Path, num_conversations: int = 24) -> dict[str, list[float]]:
    """Trains a causal model on audio alone, and predicts a new conversation live."""
    folder.mkdir(parents=True, exist_ok=True)
    table = make_table(folder, num_conversations)
    corpus = extract(table, {"audio": OpenSmile()}, classes=CLASSES, cache=folder / "features")
    model = train(corpus, folder / "run", causal=True)
    print(f"test accuracy: {100 * score(model, corpus):.0f} %")
    rng = np.random.default_rng(8)
    said = draw_conversation(rng, size=12)
    channels, starts = make_channels(said, rng)
    times = listen(model, channels)
    print("true classes:")
    for each, start in zip(said, starts, strict=True):
        end = start + each.end - each.start
        print(f"{start:6.2f} to {end:6.2f} s  {each.speaker}: {each.label}")
    for name, values in times.items():
        middle, most = 1000 * np.quantile(values, [0.5, 0.95])
        print(f"{name}: median {middle:.1f} ms, 95 % within {most:.1f} ms")
    return times


if __name__ == "__main__":
    command = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    command.add_argument("folder", nargs="?", type=Path, default=Path("live_example"))
    main(command.parse_args().folder)
