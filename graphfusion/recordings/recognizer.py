"""A trained model and its extractors: predictions for a recording that it has not seen."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from graphfusion import MMDFN, ConversationModel
from graphfusion._utils.extras import require
from graphfusion._utils.files import write_atomically
from graphfusion.datasets import Corpus
from graphfusion.recordings.assemble import make_conversation
from graphfusion.recordings.cache import Vectors
from graphfusion.recordings.checks import check_table
from graphfusion.recordings.extract import check_extractors, extract_features
from graphfusion.recordings.extractors import rebuild
from graphfusion.recordings.extractors.protocol import Extractor
from graphfusion.recordings.importers.subtitles import read_subtitles
from graphfusion.recordings.media.probe import probe
from graphfusion.recordings.origins import check_same, read_origins
from graphfusion.recordings.page.page import make_page
from graphfusion.recordings.predictions import class_columns, to_frame
from graphfusion.recordings.table import Utterance, by_conversation, read_table, utterances

if TYPE_CHECKING:
    import pandas as pd


class Recognizer:
    """Predicts the utterances of new recordings, with the extractors that the model was trained on.

    Args:
        model: A trained model.
        extractors: One for each modality, by name.
        modalities: What the model was given, as of :meth:`Corpus.select`; several joined by "+"
            are one. None: the extractors' modalities as they are.

    Raises:
        TypeError: If an extractor is none.
        ValueError: If they do not make the features that the model takes.
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

    @classmethod
    def from_pretrained(
        cls,
        folder: str | PathLike[str],
        extractors: Mapping[str, Extractor] | None = None,
        model: ConversationModel | None = None,
    ) -> Self:
        """The recogniser of a model's folder, with the extractors that its features came from.

        Args:
            folder: What a training has written: the model and, in `data.json`, the modalities and
                the extractors' fingerprints.
            extractors: Some or all of the extractors, if they are your own, or their models lie
                elsewhere; None: as the fingerprints say, by the models that they name.
            model: The model that has been loaded from there, if it is no :class:`MMDFN`, as by
                `graphfusion.training.load_model`.

        Raises:
            FileNotFoundError: If the folder has no model or no `data.json`.
            ValueError: If an extractor has another model, weights or options than in training.

        Warns:
            UserWarning: If a package has another version than in training.
        """
        folder = Path(folder)
        modalities, known = read_origins(folder)
        given = dict(extractors or {})
        chosen = {}
        for name, fingerprint in known.items():
            chosen[name] = given.pop(name) if name in given else rebuild(name, fingerprint)
            check_same(name, chosen[name].fingerprint, fingerprint)
        if given:
            raise ValueError(
                f"extractors must be of the modalities {list(known)}, but got {list(given)}."
            )
        return cls(model or MMDFN.from_pretrained(folder), chosen, modalities)

    def __call__(
        self,
        recording: "str | PathLike[str] | pd.DataFrame",
        subtitles: str | PathLike[str] | None = None,
        cache: str | PathLike[str] | None = None,
    ) -> "pd.DataFrame":
        """Predicts every utterance.

        Args:
            recording: A file of sound, or of sound and video, with `subtitles`; or a table of
                utterances, see :func:`read_table`, of one or more conversations.
            subtitles: A `.srt` or `.vtt` file.
            cache: A folder for the features.

        Returns:
            A frame with a row per utterance: `predicted`, a column for each class's probability,
            `start`, `end`, `speaker`, `text`, `conversation`, and `absent`, what it lacked and why.

        Raises:
            TableError: If the table or a file is wrong.
            ExtractionError: If an extractor fails; it names the utterance.
        """
        table = self._table(recording, subtitles)
        check_table(table, {each.needs for each in self.extractors.values()}, ())
        rows = list(utterances(table))
        features = extract_features(rows, self.extractors, cache)
        whole = by_conversation(rows)
        results: dict[int, Any] = {}
        for name, members in whole.items():
            results.update(
                zip([m.row for m in members], self._predict(members, features[name]), strict=True)
            )
        absent = {
            utterance.row: "; ".join(
                f"{modality}: {vectors.reasons[u]}"
                for modality, vectors in features[name].items()
                if vectors.reasons[u] is not None
            )
            for name, members in whole.items()
            for u, utterance in enumerate(members)
        }
        return to_frame(rows, results, absent, self.model.class_names, self.model.task)

    def to_html(
        self,
        path: str | PathLike[str],
        recording: str | PathLike[str],
        subtitles: str | PathLike[str],
        cache: str | PathLike[str] | None = None,
    ) -> "pd.DataFrame":
        """Predicts a recording, and writes a page to look at and listen to.

        The page is one file, with the recording in it: a timeline with a row per speaker, the
        probabilities over time, and a table of all utterances with what they lacked and why. It
        plays from the utterance that is clicked, or chosen by keyboard.

        Args:
            path: The `.html` to write.
            recording: A file of sound, or of sound and video, of at most 256 MiB.
            subtitles: A `.srt` or `.vtt` file.
            cache: A folder for the features.

        Returns:
            The predictions, as of a call.

        Raises:
            TableError: If a file is wrong.
            OSError: If the recording is too large, or the page cannot be written.
        """
        frame = self(recording, subtitles, cache)
        columns = list(class_columns(self.model.class_names, self.model.task).values())
        page = make_page(frame, recording, columns or ["predicted"])
        write_atomically(path, page.encode())
        return frame

    def _predict(self, rows: list[Utterance], vectors: dict[str, Vectors]) -> list[Any]:
        conversation = make_conversation(rows, vectors, ())
        (selected,) = Corpus((), {"train": [conversation]}).select(self.modalities).splits["train"]
        return self.model.predict(selected)

    def _table(
        self,
        recording: "str | PathLike[str] | pd.DataFrame",
        subtitles: str | PathLike[str] | None,
    ) -> "pd.DataFrame":
        if subtitles is None:
            table = read_table(recording)
        else:
            if not isinstance(recording, str | PathLike):
                raise TypeError(
                    "recording must be a file where subtitles are given, but got "
                    f"{type(recording).__name__}."
                )
            video = any(each.needs == "video" for each in self.extractors.values())
            # Sound without pictures: their modality is absent.
            video = video and not isinstance(probe(str(recording), "video"), str)
            table = read_subtitles(subtitles, recording, video=video)
        table["label"], table["split"] = None, "train"  # of no account here
        return table

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extractors}, modalities={self.modalities})"
