"""An extractor of acoustic features by openSMILE."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.built_in import BuiltIn
from graphfusion.recordings.extractors.protocol import Need
from graphfusion.recordings.segment import Segment

#: The number of features in each set of functionals.
FEATURE_SETS = {"eGeMAPSv02": 88, "IS09": 384, "IS10": 1582, "ComParE_2016": 6373}


class OpenSmile(BuiltIn):
    """Functionals of openSMILE: statistics of acoustic features over a whole utterance.

    **openSMILE's licence file allows research and personal use only, although its classifier on
    PyPI is MIT.** For a product, contact audEERING, or use another extractor.

    Args:
        feature_set: "eGeMAPSv02" (88 features), "IS09" (384), "IS10" (1,582; the set that MMGCN and
            MM-DFN name) or "ComParE_2016" (6,373).

    Raises:
        ImportError: If openSMILE is not installed.
        ValueError: If the set is unknown.

    References:
        Eyben, Wöllmer, Schuller: *openSMILE*, ACM Multimedia 2010; Eyben et al.: *The Geneva
        Minimalistic Acoustic Parameter Set*, IEEE Transactions on Affective Computing 2016.
    """

    needs: Need = "audio"

    def __init__(self, feature_set: str = "eGeMAPSv02") -> None:
        require("opensmile", "extract acoustic features")
        if feature_set not in FEATURE_SETS:
            raise ValueError(
                f"feature_set must be one of {list(FEATURE_SETS)}, but got {feature_set!r}."
            )
        super().__init__(("opensmile",), {"feature_set": feature_set})
        self.feature_set = feature_set
        self.dim = FEATURE_SETS[feature_set]

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[dim]` float32 for each segment's sound, at its original rate."""
        smile = _smile(self.feature_set)
        return [self._extract_one(smile, segment) for segment in segments]

    def _extract_one(self, smile: Any, segment: Segment) -> Any:
        assert segment.sound is not None  # noqa: S101 - it needs audio
        # openSMILE multiplies by 2^15 and truncates to 16 bits, so 1.0 would overflow to -1.
        samples = np.clip(segment.sound.samples, -1, 1 - 2**-15)
        return smile(samples, segment.sound.rate).reshape(-1)


@lru_cache
def _smile(feature_set: str) -> Any:
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)
