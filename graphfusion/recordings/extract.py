"""Extracts the features of a table of utterances to a corpus."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from graphfusion._utils.checks import check_modality, check_size
from graphfusion._utils.warn import warn
from graphfusion.datasets import Corpus
from graphfusion.datasets.checks.extractors import json_copy
from graphfusion.recordings.assemble import assemble
from graphfusion.recordings.cache import Vectors
from graphfusion.recordings.checks import check_table, class_names
from graphfusion.recordings.extractors.protocol import NEEDS, Extractor
from graphfusion.recordings.grouped import grouped
from graphfusion.recordings.jobs import run_job
from graphfusion.recordings.table import Utterance, by_conversation, read_table, utterances

if TYPE_CHECKING:
    import pandas as pd

_LOGGER = logging.getLogger("graphfusion.recordings")

#: `{conversation: {modality: vectors}}`.
Features = dict[str, dict[str, Vectors]]


def extract(
    table: "str | PathLike[str] | pd.DataFrame",
    extractors: Mapping[str, Extractor],
    *,
    classes: Sequence[str] | None = None,
    cache: str | PathLike[str] | None = None,
    workers: int = 1,
    executor: Executor | None = None,
) -> Corpus:
    """Extracts the features of a table's utterances.

    The table and its files are checked first, and all problems are raised at once. A modality is
    absent in an utterance without a file or words, shorter than 100 ms, below -60 dBFS, or without
    a face. Counts of absent features and their reasons are logged at the end.

    With a cache, an interrupted extraction resumes. Several processes may share a cache.

    Args:
        table: A file or frame, see :func:`read_table`.
        extractors: `{modality: extractor}`.
        classes: The names of the classes, in the order of their numbers, stripped and normalised as
            those of the table; empty: labels are scores; None: the sorted labels of the table.
        cache: The folder of the cache, with one file per conversation and extractor.
        workers: The number of threads.
        executor: An executor to use in place of threads, such as one of processes or of a cluster.
            Its workers must find the files and the cache under the same paths.

    Returns:
        The corpus, with the extractors' fingerprints.

    Raises:
        ImportError: If an extra is not installed.
        TypeError: If an extractor does not implement :class:`Extractor`, its fingerprint cannot be
            represented in JSON, or `classes` is no sequence of strings.
        ValueError: If `classes` names one twice, or an extractor's `dim` is not positive.
        TableError: If the table or a file is invalid.
        ExtractionError: If an extractor fails; it names the segment.

    Warns:
        UserWarning: If a modality is absent in more than half of the utterances.
    """
    check_extractors(extractors)
    check_size("workers", workers)
    classes = class_names(classes)
    frame = read_table(table)
    check_table(frame, {each.needs for each in extractors.values()}, classes)
    rows = list(utterances(frame))
    features = extract_features(rows, extractors, cache, workers, executor)
    report_absences(features)
    return assemble(rows, features, extractors, classes)


def check_extractors(extractors: object) -> None:
    """Checks that `extractors` is a non-empty mapping from modalities to extractors.

    Raises:
        TypeError: If it is not, or a fingerprint cannot be represented in JSON.
        ValueError: If a `dim` is not positive.
    """
    if not isinstance(extractors, Mapping) or not extractors:
        raise TypeError(f"extractors must map names to extractors, but got {extractors!r:.100}.")
    for name, each in extractors.items():
        check_modality("extractors", name)
        if not isinstance(each, Extractor) or each.needs not in NEEDS:
            raise TypeError(
                f"extractors[{name!r}] must be callable and have needs, dim and fingerprint, but "
                f"is {type(each).__name__}."
            )
        check_size(f"extractors[{name!r}].dim", each.dim)
        json_copy(f"extractors[{name!r}].fingerprint", each.fingerprint)


def extract_features(
    rows: Sequence[Utterance],
    extractors: Mapping[str, Extractor],
    cache: str | PathLike[str] | None = None,
    workers: int = 1,
    executor: Executor | None = None,
) -> Features:
    """Runs one job per conversation and extractor; results do not depend on the executor."""
    from tqdm import tqdm

    conversations = by_conversation(rows)
    folder = None if cache is None else Path(cache).absolute()
    features: Features = {name: dict.fromkeys(extractors) for name in conversations}  # type: ignore[misc]
    total = len(rows) * len(extractors)
    # The caller shuts down an executor of its own.
    own = nullcontext(executor) if executor else ThreadPoolExecutor(workers, "extract")
    with own as pool, tqdm(total=total, unit="utt", disable=None) as bar:
        futures: dict[Future[Vectors], tuple[str, str]] = {
            pool.submit(run_job, modality, extractor, whole, folder): (name, modality)
            for name, whole in conversations.items()
            for modality, extractor in extractors.items()
        }
        try:
            for future in as_completed(futures):
                name, modality = futures[future]
                features[name][modality] = future.result()
                bar.update(len(conversations[name]))
        finally:
            for future in futures:  # has an effect after an error only
                future.cancel()
    return features


def report_absences(features: Features) -> None:
    """Logs the counts and reasons of absent features, and warns if most of a modality is absent."""
    reasons = grouped(
        (modality, reason)
        for each in features.values()
        for modality, vectors in each.items()
        for reason in vectors.reasons
    )
    for modality, whole in reasons.items():
        counts = Counter(reason for reason in whole if reason is not None)
        absent = counts.total()
        described = ", ".join(f"{reason}: {count}" for reason, count in counts.most_common())
        if absent:
            _LOGGER.warning("%s: absent in %d of %d (%s)", modality, absent, len(whole), described)
        if 2 * absent > len(whole):
            warn(
                f"{modality} must be present in most utterances to be useful, but is absent in "
                f"{absent} of {len(whole)} ({described}).",
            )
