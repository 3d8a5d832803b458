"""Files and output of the subcommands.

What is slow to import is imported when a command runs, to keep `--help` fast.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion._utils.files import write_atomically
from graphfusion.datasets import Corpus, load
from graphfusion.datasets._load import TABLES, detect

if TYPE_CHECKING:
    import pandas as pd


def say(text: object) -> None:
    """Prints a line, in the main process only."""
    from pytorch_lightning.utilities import rank_zero_only

    rank_zero_only(sys.stdout.write)(f"{text}\n")
    sys.stdout.flush()


def say_table(frame: "pd.DataFrame") -> None:
    """Prints a table of strings as Markdown."""
    say(frame.to_markdown(disable_numparse=True))


def write_table(frame: "pd.DataFrame", path: Path) -> None:
    """Writes a table as .csv or .parquet."""
    if path.suffix.lower() == ".csv":
        write_atomically(path, frame.to_csv(index=False).encode())
    else:
        write_atomically(path, frame.to_parquet(index=False))


def open_corpus(file: Path, modalities: Sequence[str] | None) -> Corpus:
    """Loads a corpus from a file, with the given modalities; None: all."""
    corpus = load(file)
    return corpus if modalities is None else corpus.select(modalities)


def open_for_model(model: Path, file: Path, split: str | None) -> Corpus:
    """Loads a corpus from a file, with the modalities that the model was trained on.

    If `split` is None, a table needs no labels or splits.
    """
    from graphfusion.training.run import about_model

    table = split is None and detect(file) in TABLES
    corpus = load(file, label=None, split=None) if table else load(file)
    modalities = about_model(model).get("modalities")
    return corpus if modalities is None else corpus.select(modalities)
