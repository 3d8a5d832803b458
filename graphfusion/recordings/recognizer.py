"""The `Recognizer`: predicts new recordings with a trained model and its extractors."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from graphfusion import MMDFN, ConversationModel
from graphfusion._utils.extras import require
from graphfusion._utils.files import check_length, check_output, write_atomically
from graphfusion.datasets import Corpus
from graphfusion.datasets.checks.extractors import check_rates, check_same
from graphfusion.recordings.assemble import make_conversation, sampling_rates
from graphfusion.recordings.checks import check_table
from graphfusion.recordings.extract import check_extractors, extract_features
from graphfusion.recordings.extractors import rebuild
from graphfusion.recordings.extractors.protocol import Extractor
from graphfusion.recordings.importers.recording import read_recording
from graphfusion.recordings.page.page import LARGEST, make_page
from graphfusion.recordings.predictions import class_columns, to_record
from graphfusion.recordings.provenance import by_modality, known_origins, read_modalities
from graphfusion.recordings.table import by_conversation, utterances

if TYPE_CHECKING:
    import pandas as pd


class Recognizer:
    """Predicts the utterances of new recordings, with the extractors of the model's training.

    Args:
        model: A trained model.
        extractors: `{modality: extractor}`.
        modalities: The modalities of the model, see :meth:`Corpus.select`; names joined by "+" are
            concatenated. None: the modalities of the extractors.

    Raises:
        TypeError: If an extractor does not implement :class:`Extractor`.
        ValueError: If the sizes of the features differ from those of the model, or an extractor's
            model, weights or options from those of the model's training, if it has their
            fingerprints.

    Warns:
        UserWarning: If a package's version differs from that of training.
    """

    def __init__(
        self,
        model: ConversationModel,
        extractors: Mapping[str, Extractor],
        modalities: Sequence[str] | None = None,
    ) -> None:
        require("recordings", "predict recordings")
        check_extractors(extractors)
        self.model = model
        self.extractors = dict(extractors)
        self.modalities = list(extractors if modalities is None else modalities)
        groups = [entry.split("+") for entry in self.modalities]
        if unknown := [name for group in groups for name in group if name not in extractors]:
            raise ValueError(
                f"extractors must be given for all of {self.modalities}, but lack {unknown}."
            )
        made = {group[0]: sum(extractors[name].dim for name in group) for group in groups}
        if made != model.in_channels:
            raise ValueError(
                f"extractors must make features of the sizes {model.in_channels} that the model "
                f"takes, but make {made}."
            )
        known = known_origins(self.modalities, model.extractors)
        for name, fingerprint in known.items():
            check_same(name, extractors[name].fingerprint, fingerprint)
        # Those of the sound of training.
        self.rates = {name: each.get("sampling_rates", ()) for name, each in known.items()}

    @classmethod
    def from_pretrained(
        cls,
        folder: str | PathLike[str],
        extractors: Mapping[str, Extractor] | None = None,
        model: ConversationModel | None = None,
    ) -> Self:
        """Loads a recogniser from the folder of a trained model.

        Args:
            folder: The folder written by training: the model with its extractors' fingerprints, and
                `data.json` with the modalities.
            extractors: Some or all of the extractors, if they are custom or their models are stored
                elsewhere; None: created from the fingerprints.
            model: The model, if it is not an :class:`MMDFN`, as loaded by
                `graphfusion.training.load_model`.

        Raises:
            FileNotFoundError: If the folder has no model or no `data.json`.
            ValueError: If a fingerprint is missing, or an extractor's model, weights or options
                differ from those of training.

        Warns:
            UserWarning: If a package's version differs from that of training.
        """
        folder = Path(folder)
        modalities = read_modalities(folder)
        model = model or MMDFN.from_pretrained(folder)
        known = by_modality(modalities, model.extractors)
        given = dict(extractors or {})
        chosen = {}
        for name, fingerprint in known.items():
            chosen[name] = given.pop(name) if name in given else rebuild(name, fingerprint)
        if given:
            raise ValueError(
                f"extractors must be of the modalities {list(known)}, but got {list(given)}."
            )
        return cls(model, chosen, modalities)

    def __call__(
        self,
        recording: "str | PathLike[str] | pd.DataFrame",
        subtitles: str | PathLike[str] | None = None,
        cache: str | PathLike[str] | None = None,
    ) -> "pd.DataFrame":
        """Predicts every utterance of a recording.

        Args:
            recording: The path of an audio or video file, with `subtitles`; or a table of
                utterances of one or more conversations, see :func:`read_table`.
            subtitles: The path of a `.srt` or `.vtt` file.
            cache: The folder of the cache of features; None: no cache.

        Returns:
            A pandas frame with one row per utterance: `predicted`, a column with the probability of
            each class, `start`, `end`, `speaker`, `text`, `conversation`, and `absent`, the absent
            modalities and why.

        Raises:
            TableError: If the table or a file is invalid.
            ExtractionError: If an extractor fails; it names the utterance.

        Warns:
            UserWarning: If sound has a sampling rate that no sound of training had.
        """
        import pandas as pd

        needs = {each.needs for each in self.extractors.values()}
        table = read_recording(recording, subtitles, needs)
        check_table(table, needs, ())
        rows = list(utterances(table))
        features = extract_features(rows, self.extractors, cache)
        for name, rates in sampling_rates(features).items():
            check_rates(name, rates, self.rates.get(name, ()))
        records: dict[int, dict[str, Any]] = {}
        for name, members in by_conversation(rows).items():
            vectors = features[name]
            conversation = make_conversation(members, vectors, ())
            corpus = Corpus((), {"train": [conversation]}).select(self.modalities)
            (selected,) = corpus.splits["train"]
            for u, (each, result) in enumerate(
                zip(members, self.model.predict(selected), strict=True)
            ):
                reasons = ((modality, own.reasons[u]) for modality, own in vectors.items())
                absent = "; ".join(f"{name}: {why}" for name, why in reasons if why is not None)
                records[each.row] = to_record(each, result, absent, self._columns, self.model.task)
        return pd.DataFrame([records[row] for row in sorted(records)])

    def to_html(
        self,
        path: str | PathLike[str],
        recording: str | PathLike[str],
        subtitles: str | PathLike[str],
        cache: str | PathLike[str] | None = None,
    ) -> "pd.DataFrame":
        """Predicts a recording, and writes an HTML page that plays it with its predictions.

        The page is one file that embeds the recording. It has a timeline with one row per speaker,
        the probabilities over time, and a table of all utterances with their absent modalities.
        Selecting an utterance, by mouse or keyboard, plays it.

        Args:
            path: The path of the `.html` file to write.
            recording: The path of an audio or video file of at most 256 MiB.
            subtitles: The path of a `.srt` or `.vtt` file.
            cache: The folder of the cache of features; None: no cache.

        Returns:
            The predictions, as returned by :meth:`__call__`.

        Raises:
            TableError: If a file is invalid.
            ValueError: If `path` has another suffix.
            OSError: If the recording is too large, or the page cannot be written.
        """
        check_output("path", path, (".html",))
        if Path(recording).is_file():
            check_length(Path(recording), LARGEST)
        frame = self(recording, subtitles, cache)
        page = make_page(frame, recording, list(self._columns.values()) or ["predicted"])
        write_atomically(path, page.encode())
        return frame

    @property
    def _columns(self) -> dict[str, str]:
        return class_columns(self.model.class_names, self.model.task)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extractors}, modalities={self.modalities})"
