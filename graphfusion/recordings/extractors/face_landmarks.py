"""An extractor of facial expression by MediaPipe: blendshapes, or aligned landmarks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphfusion._utils.extras import require
from graphfusion.recordings.extractors.built_in import BuiltIn
from graphfusion.recordings.extractors.protocol import Absent, Need
from graphfusion.recordings.fingerprint import check_unchanged, file_digest
from graphfusion.recordings.segment import Picture, Segment

#: The number of values per frame.
FEATURES = {"blendshapes": 52, "landmarks": 478 * 3}

_EYES, _NOSE = (33, 263), 2  # the landmarks of the outer corners, and below the nose
_MOST = 8  # faces that are compared by size


class FaceLandmarks(BuiltIn):
    """Facial expression of the largest face, by MediaPipe's face landmarker.

    An utterance's vector has the mean and the standard deviation over all frames with a face. They
    are those of 52 blendshapes such as `jawOpen`, or of 478 three-dimensional landmarks. Landmarks
    are aligned: position, size and rotation of the head have no effect.

    The largest face need not be the speaker's. Frames are processed separately, without tracking.

    **MediaPipe 0.10.35 and newer send usage metrics to Google**, without an option to disable this.
    The extra `landmarks` installs an older version, which opens no connection.

    Args:
        model: A face landmarker bundle, such as the `face_landmarker.task` of MediaPipe's model
            page. It is not downloaded.
        features: "blendshapes" (a vector of 104) or "landmarks" (2,868), which needs no blendshape
            model in the bundle.

    Raises:
        ImportError: If MediaPipe is not installed.
        ValueError: If `features` is unknown, or `model` is damaged or has no such features.
        FileNotFoundError: If `model` is not a file.

    References:
        Grishchenko, Ablavatski, Kartynnik, Raveendran, Grundmann: *Attention Mesh: High-fidelity
        Face Mesh Prediction in Real-time*, CVPR workshop 2020; Grishchenko et al.: *Blendshapes
        GHUM: Real-time Monocular Facial Blendshape Prediction*, 2023 (arXiv 2309.05782).
    """

    needs: Need = "video"

    def __init__(self, model: str | Path, features: str = "blendshapes") -> None:
        require("landmarks", "extract landmarks of faces")
        if features not in FEATURES:
            raise ValueError(f"features must be one of {list(FEATURES)}, but got {features!r}.")
        if not Path(model).is_file():
            raise FileNotFoundError(f"model must be a .task file, but {str(model)!r} is no file.")
        self.model, self.features = str(model), features
        self.dim = 2 * FEATURES[features]
        options: dict[str, str | int] = {"features": features}
        super().__init__(("mediapipe",), options, model=self.model, sha256=file_digest(model))
        try:
            self._load().close()
        except (FileNotFoundError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"model must be a face landmarker bundle with {features}, but {self.model!r}: "
                f"{error}"
            ) from error

    def __call__(self, segments: Sequence[Segment]) -> list[Any]:
        """Returns a vector `[dim]` float32 for each segment, or `Absent` if no frame has a face."""
        # Created for each call, so that threads share nothing.
        with self._load() as landmarker:
            return [self._extract_one(landmarker, segment) for segment in segments]

    def _load(self) -> Any:
        check_unchanged(self.model, self.fingerprint["sha256"])
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            BaseOptions(model_asset_path=self.model),
            num_faces=_MOST,
            output_face_blendshapes=self.features == "blendshapes",
        )
        return vision.FaceLandmarker.create_from_options(options)

    def _extract_one(self, landmarker: Any, segment: Segment) -> Any:
        assert segment.frames is not None  # noqa: S101 - it needs video
        described = (self._describe(landmarker, picture) for picture in segment.frames())
        found = [each for each in described if each is not None and np.isfinite(each).all()]
        if not found:
            return Absent("no face")
        return np.concatenate([np.mean(found, 0), np.std(found, 0)]).astype(np.float32)

    def _describe(self, landmarker: Any, picture: Picture) -> Any:
        from mediapipe import Image, ImageFormat

        result = landmarker.detect(Image(ImageFormat.SRGB, np.ascontiguousarray(picture)))
        faces = [_pixels(face, picture) for face in result.face_landmarks]
        if not faces:
            return None
        largest = max(range(len(faces)), key=lambda n: _area(faces[n]))
        if self.features == "landmarks":
            with np.errstate(divide="ignore", invalid="ignore"):  # eyes in one place
                return align(faces[largest]).reshape(-1)
        shapes = sorted(result.face_blendshapes[largest], key=lambda each: int(each.index))
        return np.array([each.score for each in shapes])


def align(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Removes position, size and rotation of a face from its landmarks.

    The origin is the midpoint between the outer corners of the eyes, and their distance is 1. The
    first axis goes from the right eye to the left one, and the second axis down to the nose.
    Eyes and nose base define the axes, because the jaw and the brows move with expression.

    Args:
        points: `[478, 3]`, in one unit for all three coordinates.

    Returns:
        `[478, 3]`
    """
    right, left = points[_EYES[0]], points[_EYES[1]]
    origin, size = (right + left) / 2, np.linalg.norm(left - right)
    across = (left - right) / size
    down = points[_NOSE] - origin
    down = down - (down @ across) * across
    down /= np.linalg.norm(down)
    axes = np.stack([across, down, np.cross(across, down)], 1)
    aligned: NDArray[np.float64] = (points - origin) @ axes / size
    return aligned


def _pixels(face: Any, picture: Picture) -> NDArray[np.float64]:
    height, width = picture.shape[:2]
    # MediaPipe divides x and z by the picture's width, and y by its height.
    points = [(each.x * width, each.y * height, each.z * width) for each in face]
    return np.array(points, np.float64)


def _area(points: NDArray[np.float64]) -> float:
    return float(np.prod(np.ptp(points[:, :2], 0)))
