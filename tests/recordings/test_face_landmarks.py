"""Facial expression by MediaPipe, with a tiny model made here, or a real one.

`GRAPHFUSION_FACE_LANDMARKER=face_landmarker.task` adds tests of that file, on drawn faces.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphfusion.datasets.checks.extractors import differences
from graphfusion.recordings import Absent, FaceLandmarks, Segment
from graphfusion.recordings.extractors.face_landmarks import FEATURES, align
from graphfusion.recordings.fingerprint import file_digest
from tests.recordings.asserts import check_extractor
from tests.recordings.face_landmarker import draw_squares, make_face_landmarker
from tests.recordings.made import draw_face

BLACK, DIM, WHITE = 0, 150, 255
RED, GREY, BLUE = (250, 150, 150), (200, 200, 200), (150, 150, 250)
REAL = os.environ.get("GRAPHFUSION_FACE_LANDMARKER")


def video(*pictures):
    return Segment("a segment", frames=lambda: iter(pictures))


@st.composite
def faces(draw):
    """Any points, with eyes and a nose that are not in one line."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    points = rng.normal(size=(478, 3))
    points[[33, 263, 2]] = rng.normal(size=(3, 3)) / 5 + [[-1, 0, 0], [1, 0, 0], [0, 1, 0]]
    return rng, points


@given(faces(), st.floats(1e-2, 1e3), st.floats(-1e3, 1e3))
def test_alignment_removes_position_size_and_rotation(face, size, shift):
    rng, points = face
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)  # no reflection
    moved = size * points @ rotation + shift * rng.normal(size=3)
    np.testing.assert_allclose(align(moved), align(points), atol=1e-6)


@given(faces())
def test_alignment_keeps_the_shape(face):
    _, points = face
    aligned = align(points)
    np.testing.assert_allclose(aligned[[33, 263]], [[-0.5, 0, 0], [0.5, 0, 0]], atol=1e-9)
    assert aligned[2, 1] > 0
    assert abs(aligned[2, 2]) < 1e-9
    ours, theirs = (np.linalg.norm(np.diff(each, axis=0), axis=1) for each in (aligned, points))
    np.testing.assert_allclose(ours * np.linalg.norm(points[33] - points[263]), theirs)


def test_an_aligned_face_stays():
    points = np.random.default_rng(0).normal(size=(478, 3))
    points[[33, 263, 2]] = [[-0.5, 0, 0], [0.5, 0, 0], [0.1, 0.6, 0]]
    np.testing.assert_allclose(align(points), points, atol=1e-12)


@given(faces())
def test_alignment_distinguishes_a_face_from_its_mirror_image(face):
    _, points = face
    mirrored = align(points * [1, 1, -1])
    np.testing.assert_allclose(mirrored, align(points) * [1, 1, -1], atol=1e-9)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    pytest.importorskip("mediapipe", reason="needs the extra `landmarks`")
    return make_face_landmarker(tmp_path_factory.mktemp("bundle") / "face_landmarker.task")


@pytest.fixture(scope="module", params=FEATURES)
def extractor(request, bundle):
    return FaceLandmarks(bundle, request.param)


def test_it_is_an_extractor(extractor):
    segments = [
        video(draw_squares(RED)),
        video(draw_squares(GREY), draw_squares(BLUE)),
        video(draw_squares(BLUE, GREY)),
    ]
    values = check_extractor(extractor, segments)
    assert values.dtype == np.float32
    assert values.shape == (3, {"blendshapes": 104, "landmarks": 2868}[extractor.features])
    assert np.abs(values[0] - values[2]).max() > 1e-3
    assert extractor.features in repr(extractor)


def test_blendshapes_are_those_of_mediapipe(bundle):
    extractor, picture = FaceLandmarks(bundle), draw_squares(RED)
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        BaseOptions(model_asset_path=str(bundle)), output_face_blendshapes=True
    )
    with vision.FaceLandmarker.create_from_options(options) as alone:
        (shapes,) = alone.detect(Image(ImageFormat.SRGB, picture)).face_blendshapes
    (vector,) = extractor([video(picture)])
    assert shapes[25].category_name == "jawOpen"
    np.testing.assert_allclose(vector[:52], [each.score for each in shapes], rtol=1e-6)


def test_a_vector_has_mean_and_deviation_over_frames_with_a_face(extractor):
    pictures = [draw_squares(RED), draw_squares(), draw_squares(GREY), draw_squares(BLUE)]
    (whole,) = extractor([video(*pictures)])
    single = [extractor([video(each)])[0] for each in pictures]
    assert single.pop(1) == Absent("no face")
    mean, deviation = np.split(whole, 2)
    values, none = np.split(np.array(single), 2, axis=1)
    np.testing.assert_allclose(mean, values.mean(0), atol=1e-5)
    np.testing.assert_allclose(deviation, values.std(0), atol=1e-5)
    assert not none.any()
    assert deviation.any()


def test_no_face_is_absent(extractor):
    assert extractor([video(draw_squares(), draw_squares()), video()]) == [Absent("no face")] * 2


@pytest.mark.parametrize("other", [DIM, BLUE, WHITE])  # the brighter, the surer is the detector
def test_the_largest_face_is_described(extractor, other):
    large, both, small = extractor(
        [video(draw_squares(*each)) for each in ((RED,), (RED, other), (BLACK, other))]
    )
    np.testing.assert_allclose(both, large, atol=1e-5)
    assert np.abs(small - large).max() > 1e-3


def test_landmarks_do_not_depend_on_position_and_size(bundle):
    extractor = FaceLandmarks(bundle, "landmarks")
    large, small, other = extractor(
        [video(draw_squares(*each)) for each in ((RED,), (BLACK, RED), (BLUE,))]
    )
    assert np.abs(small - large).max() < 0.3 * np.abs(other - large).max()


def test_landmarks_do_not_depend_on_the_picture_s_aspect(bundle):
    extractor, square = FaceLandmarks(bundle, "landmarks"), draw_squares(RED)
    quarter = len(square) // 4  # rows without a face, which the detector adds again
    whole, wide = extractor([video(square), video(square[quarter:-quarter])])
    np.testing.assert_allclose(wide, whole, atol=0.02)


def test_a_flipped_view_is_a_picture_like_its_copy(extractor):
    picture = draw_squares(RED)[:, ::-1]
    assert not picture.flags.c_contiguous
    assert np.array_equal(*extractor([video(picture), video(picture.copy())]))


def test_threads_share_nothing(extractor):
    segments = [[video(draw_squares(each))] for each in (RED, GREY, BLUE)] * 4
    with ThreadPoolExecutor(4) as pool:
        assert np.array_equal(list(pool.map(extractor, segments)), list(map(extractor, segments)))


def test_a_model_is_identified_by_its_content(bundle, tmp_path):
    one = FaceLandmarks(bundle)
    assert one.fingerprint["sha256"] == file_digest(bundle)
    moved = FaceLandmarks(shutil.copy(bundle, tmp_path / "moved.task"))
    assert differences(one.fingerprint, moved.fingerprint) == []
    other = FaceLandmarks(bundle, "landmarks")
    assert differences(one.fingerprint, other.fingerprint) == ["options"]


def test_a_model_that_is_replaced_is_refused(bundle, tmp_path):
    extractor = FaceLandmarks(shutil.copy(bundle, tmp_path / "a.task"))
    (tmp_path / "a.task").write_bytes(bundle.read_bytes() + b"more")
    with pytest.raises(ValueError, match="but has changed: make a new extractor"):
        extractor([video(draw_squares(RED))])


def test_a_bundle_without_blendshapes_has_landmarks(tmp_path):
    pytest.importorskip("mediapipe", reason="needs the extra `landmarks`")
    path = make_face_landmarker(tmp_path / "landmarks.task", with_blendshapes=False)
    assert FaceLandmarks(path, "landmarks")([video(draw_squares(RED))])[0].shape == (2868,)
    with pytest.raises(ValueError, match=r"model must be .* bundle with blendshapes, but .*model"):
        FaceLandmarks(path)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "names"])
def test_a_damaged_model_is_refused(bundle, tmp_path, damage):
    content = bundle.read_bytes()
    path = tmp_path / "damaged.task"
    path.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "text": b"no archive",
            "empty": b"",
            "names": content.replace(b"face_landmarks_detector", b"hand_landmarks_detector"),
        }[damage]
    )
    with pytest.raises(ValueError, match=r"model must be a face landmarker bundle.*damaged\.task"):
        FaceLandmarks(path)


def test_a_missing_model_and_unknown_features_are_refused(tmp_path):
    pytest.importorskip("mediapipe", reason="needs the extra `landmarks`")
    for path in (tmp_path / "gone.task", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"model must be a \.task file, but "):
            FaceLandmarks(path)
    with pytest.raises(ValueError, match=r"features must be one of \['blendshapes', .* 'mesh'"):
        FaceLandmarks(tmp_path, "mesh")


@pytest.mark.skipif(not REAL, reason="needs a model, named by GRAPHFUSION_FACE_LANDMARKER")
def test_a_real_model_describes_the_mouth_and_not_the_place():
    import cv2

    extractor = FaceLandmarks(REAL, "landmarks")
    down, up = draw_face(-8), draw_face(8)
    turned = cv2.getRotationMatrix2D((160, 120), 15, 0.8)
    moved = [np.roll(up, 20, 1), cv2.warpAffine(up, turned, (320, 240), borderValue=(90, 90, 90))]
    lower, higher, *others = check_extractor(
        extractor, [video(each) for each in (down, up, *moved)]
    )
    corners = [each[:1434].reshape(478, 3)[[61, 291], 1] for each in (lower, higher)]
    assert (corners[0] > corners[1] + 0.05).all()  # the second axis points down
    for each in others:
        assert np.abs(each - higher).max() < 0.5 * np.abs(lower - higher).max()
