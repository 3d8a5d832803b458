"""Command line to extract features from recordings and to predict new ones.

python -m graphfusion.recordings check TABLE               list all problems of a table
python -m graphfusion.recordings extract TABLE CORPUS      extract features to a corpus
python -m graphfusion.recordings predict MODEL FILE SUBS   predict a new recording
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path

from graphfusion import recordings
from graphfusion._utils.counted import counted
from graphfusion._utils.files import check_output
from graphfusion._utils.options import check_given_once
from graphfusion._utils.warn import plain_warnings
from graphfusion.datasets import save
from graphfusion.recordings.table import utterances

#: Extractors by modality and by the word before the colon; the rest is the argument.
EXTRACTORS: dict[str, dict[str, Callable[..., recordings.Extractor]]] = {
    "text": {
        "sentence": recordings.SentenceText,
        "mean": lambda model, revision=None: recordings.TransformerText(model, "mean", revision),
        "first": lambda model, revision=None: recordings.TransformerText(model, "first", revision),
    },
    "audio": {
        "opensmile": recordings.OpenSmile,
        "speech": lambda model, revision=None: recordings.SpeechModel(model, revision=revision),
    },
    "video": {
        "faces": recordings.Faces,
        "blendshapes": lambda model: recordings.FaceLandmarks(model, "blendshapes"),
        "landmarks": lambda model: recordings.FaceLandmarks(model, "landmarks"),
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command-line program.

    Args:
        arguments: The command-line arguments; None: those of the process.

    Returns:
        The exit code: 0 for success, 1 for problems of the table or a file, 2 if the command failed
        or an argument is invalid.
    """
    parser = _parser()
    words = sys.argv[1:] if arguments is None else list(arguments)
    check_given_once(parser, words)
    options = parser.parse_args(words)
    logging.basicConfig(format="%(message)s")
    try:
        with plain_warnings():
            COMMANDS[options.command](options)
    except recordings.TableError as error:
        sys.stdout.write("".join(f"{problem}\n" for problem in error.problems))
        return 1
    except (OSError, ImportError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m graphfusion.recordings", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    check, make, predict = (
        commands.add_parser(name, help=run.__doc__, allow_abbrev=False)
        for name, run in COMMANDS.items()
    )
    for command in (check, make):
        command.add_argument("table", type=Path, metavar="TABLE", help="a .csv or .parquet file")
        labels = command.add_mutually_exclusive_group()
        labels.add_argument("--classes", help="the class names, in order, such as calm,angry")
        labels.add_argument("--scores", action="store_true", help="the labels are scores")
    make.add_argument("corpus", type=Path, metavar="CORPUS", help="the .safetensors to write")
    make.add_argument("--workers", type=int, default=1, help="the number of threads")
    predict.add_argument("model", type=Path, metavar="MODEL", help="the folder of a model")
    predict.add_argument("recording", type=Path, metavar="FILE", help="sound, or sound and video")
    predict.add_argument("subtitles", type=Path, metavar="SUBS", help="a .srt or .vtt file")
    predict.add_argument("--output", type=Path, help="the .csv to write; default: print it")
    predict.add_argument("--html", type=Path, help="an HTML page to write, with the recording")
    for modality, kinds in EXTRACTORS.items():
        names = " or ".join(f"{kind}:..." if kind != "faces" else kind for kind in kinds)
        moved = "the same, where its folder has moved"
        for command, text in ((make, f"{names}, @REVISION after it"), (predict, moved)):
            command.add_argument(f"--{modality}", metavar="EXTRACTOR", help=text)
    for command in (make, predict):
        command.add_argument("--cache", type=Path, help="a folder to cache features in")
    return parser


def _check(options: argparse.Namespace) -> None:
    """Lists all problems of a table and its files."""
    table = recordings.read_table(options.table)
    recordings.check_table(table, classes=_classes(options))
    rows = list(utterances(table))
    conversations = len({each.conversation for each in rows})
    lacking = ", ".join(
        f"{name}: {sum(getattr(each, name) is None for each in rows)}"
        for name in ("label", *EXTRACTORS)
    )
    sys.stdout.write(
        f"{options.table}: {counted(len(rows), 'utterance')} in "
        f"{counted(conversations, 'conversation')}, no problems; without a {lacking}\n"
    )


def _extract(options: argparse.Namespace) -> None:
    """Extracts features and writes a corpus."""
    extractors = _extractors(options)
    if not extractors:
        raise ValueError("one of --text, --audio and --video must be given, but none is.")
    check_output("CORPUS", options.corpus, (".safetensors",))
    corpus = recordings.extract(
        options.table,
        extractors,
        classes=_classes(options),
        cache=options.cache,
        workers=options.workers,
    )
    save(corpus, options.corpus)
    sys.stdout.write(f"{options.corpus}: {corpus}\n")


def _predict(options: argparse.Namespace) -> None:
    """Predicts a new recording with a model."""
    if options.output is not None:
        check_output("--output", options.output, (".csv",))
    recognizer = recordings.Recognizer.from_pretrained(options.model, _extractors(options))
    files = options.recording, options.subtitles, options.cache
    frame = recognizer.to_html(options.html, *files) if options.html else recognizer(*files)
    frame.to_csv(options.output or sys.stdout, index=False)


def _extractors(options: argparse.Namespace) -> dict[str, recordings.Extractor]:
    return {
        modality: make_extractor(modality, getattr(options, modality))
        for modality in EXTRACTORS
        if getattr(options, modality) is not None
    }


def make_extractor(modality: str, wanted: str) -> recordings.Extractor:
    """Creates an extractor from its command-line name, such as "sentence:NAME@REVISION".

    Raises:
        ValueError: If the name is unknown, or an argument is missing or not expected.
    """
    kind, _, argument = wanted.partition(":")
    kinds = EXTRACTORS[modality]
    if kind not in kinds:
        raise ValueError(f"--{modality} must be one of {list(kinds)}, but got {kind!r}.")
    expected = signature(kinds[kind])
    named = "revision" in expected.parameters  # of others, a path may have an @
    named = named and not Path(argument).exists()
    name, _, revision = argument.partition("@") if named else (argument, "", "")
    arguments = [*filter(None, [name, revision])]
    try:
        expected.bind(*arguments)
    except TypeError as error:
        raise ValueError(f"--{modality} {wanted!r}: {error}.") from error
    return kinds[kind](*arguments)


def _classes(options: argparse.Namespace) -> Sequence[str] | None:
    if options.scores:
        return ()
    return None if options.classes is None else options.classes.split(",")


COMMANDS = {"check": _check, "extract": _extract, "predict": _predict}

if __name__ == "__main__":
    sys.exit(main())
