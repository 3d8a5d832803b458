"""A baseline extractor for faces: OpenCV's cascade detector and histograms of gradients."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.built_in import BuiltIn
from graphfusion.recordings.extractors.protocol import Absent, Need
from graphfusion.recordings.segment import Picture, Segment

_SIDE = 32  # width and height of a face in pixels


class Faces(BuiltIn):
    """Histograms of oriented gradients of the largest face, averaged over an utterance.

    **A baseline only.** It needs no model but the cascade that OpenCV's package includes. It
    describes frontal faces and coarse shapes, not expressions. The largest face need not be the
    speaker's. Use an extractor of your own for good results.

    Raises:
        ImportError: If OpenCV is not installed, or has no cascades (versions 5 and newer).

    References:
        Viola, Jones: *Rapid object detection using a boosted cascade of simple features*, CVPR
        2001; Dalal, Triggs: *Histograms of oriented gradients for human detection*, CVPR 2005.
    """

    needs: Need = "video"
    dim = 324

    def __init__(self) -> None:
        require("faces", "extract features of faces")
        import cv2

        if not hasattr(cv2, "CascadeClassifier"):
            raise ImportError(
                f"OpenCV must be older than 5 to have cascades, but is {cv2.__version__}: "
                'pip install "opencv-python-headless<5"'
            )
        super().__init__((), {})
        # From the module, since several packages provide it.
        self.fingerprint = {**self.fingerprint, "versions": {"opencv": cv2.__version__}}

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[324]` float32 for each segment, or `Absent` if no frame has a face."""
        import cv2
        from cv2.data import haarcascades

        # Created for each call, since a cascade is not thread-safe.
        cascade = cv2.CascadeClassifier(f"{haarcascades}haarcascade_frontalface_default.xml")
        return [self._extract_one(cascade, segment) for segment in segments]

    def _extract_one(self, cascade: Any, segment: Segment) -> Any:
        assert segment.frames is not None  # noqa: S101 - it needs video
        described = (_describe(cascade, picture) for picture in segment.frames())
        found = [each for each in described if each is not None]
        return np.mean(found, 0) if found else Absent("no face")


def _describe(cascade: Any, picture: Picture) -> Any:
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    boxes = cascade.detectMultiScale(grey, 1.1, 5, minSize=(24, 24))
    if len(boxes) == 0:
        return None
    x, y, width, height = max(boxes, key=lambda box: (int(box[2]) * int(box[3]), *map(int, box)))
    face = cv2.resize(grey[y : y + height, x : x + width], (_SIDE, _SIDE))
    hog = cv2.HOGDescriptor((_SIDE, _SIDE), (16, 16), (8, 8), (8, 8), 9)
    return np.reshape(hog.compute(cv2.equalizeHist(face)), -1)
