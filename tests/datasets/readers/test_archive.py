"""Files that lie: about their sizes, or about being what they seem."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy

from graphfusion.datasets import FormatError, load_npz, validate
from tests.datasets.samples import (
    MANY,
    damaged,
    load_bytes,
    loads_or_refuses,
    make_sample,
    npz_arrays,
    npz_bytes,
    peak_memory,
)

ARRAYS = npz_arrays(make_sample(lengths=((2, 2), (2,))))
SMALL = 2**20  # more than any honest file here takes


def npy_bytes(array):
    file = io.BytesIO()
    npy.write_array(file, array)
    return file.getvalue()


MEMBERS = {f"{name}.npy": npy_bytes(array) for name, array in ARRAYS.items()}


def header(shape, descr="<f4", fortran=False):
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": fortran, "shape": shape})
    return file.getvalue()


def zipped(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def with_audio(data, method=zipfile.ZIP_STORED):
    return zipped((MEMBERS | {"audio.npy": data}).items(), method)


def refused(data, message):
    with pytest.raises(FormatError, match=message):
        load_bytes(load_npz, data)
    assert peak_memory(load_npz, data) < SMALL


def test_the_members_here_load():
    load_bytes(load_npz, with_audio(MEMBERS["audio.npy"]))


@MANY
@given(st.data(), st.sampled_from([np.savez, np.savez_compressed]))
def test_a_damaged_archive_loads_or_is_refused(data, save):
    loads_or_refuses(load_npz, data.draw(damaged(npz_bytes(ARRAYS, save))))


@MANY
@given(st.data(), st.sampled_from(sorted(MEMBERS)))
def test_a_damaged_member_with_a_valid_checksum_loads_or_is_refused(data, name):
    broken = data.draw(damaged(MEMBERS[name]))
    loads_or_refuses(load_npz, zipped((MEMBERS | {name: broken}).items()))


@given(
    st.lists(st.integers(-2, 2**70) | st.integers(0, 6), max_size=4),
    st.sampled_from(["<f4", "|b1", "<U3", "<U0", "|S0", "|V4", "|O", "<c8", "<M8[s]"]),
    st.booleans(),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_any_declared_shape_takes_no_more_than_the_file(shape, descr, fortran, method):
    data = with_audio(header(tuple(shape), descr, fortran) + bytes(72), method)
    assert peak_memory(load_npz, data) < SMALL


def test_an_array_of_373_gib_in_200_bytes():
    refused(
        with_audio(header((10**11, 1)) + bytes(72)), "audio: .* must take 4\\d{11} bytes, .* 72 "
    )


@pytest.mark.parametrize("shape", [(2**62, 4), (2**32, 2**32), (2**64, 1), (6, -3), (6, 0)])
def test_a_shape_that_overflows_or_does_not_fit(shape):
    refused(with_audio(header(shape) + bytes(72)), "audio: an array")


def test_bytes_too_many():
    refused(
        with_audio(MEMBERS["audio.npy"] + b"\0"), "audio: an array of shape .* 72 bytes, .* 73 "
    )


@pytest.mark.parametrize(
    ("array", "named"),
    [
        (np.array([None] * 6), "object"),
        (np.zeros(6, [("a", "<f4")]), "void32"),
        (np.zeros(6, "M8[s]"), "datetime64"),
        (np.zeros(6, "c8"), "complex64"),
    ],
)
def test_other_than_numbers_and_strings(array, named):
    refused(with_audio(npy_bytes(array)), f"audio: refused: arrays .* but got {named}")


@pytest.mark.parametrize("descr", ["<U0", "|S0"])
def test_strings_of_no_size_in_any_number(descr):
    members = MEMBERS | {"speaker.npy": header((10**6,), descr)}
    refused(zipped(members.items()), "speaker: refused: arrays must hold numbers or strings")


def test_other_versions_of_npy():
    data = bytearray(MEMBERS["audio.npy"])
    data[6] = 3
    refused(
        with_audio(bytes(data)), r"audio: the .npy version must be 1.0 or 2.0, but got \(3, 0\)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "-" * 9000 + "1",
        "(" * 9000,
        "{'descr': '<f4'",
        "[" * 90 + "]" * 90,
        "x" * 60000,
        "1+" * 4000,
    ],
)
def test_a_header_of_garbage(text):
    data = npy.magic(1, 0) + len(text).to_bytes(2, "little") + text.encode()
    refused(with_audio(data), "features: ")


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\3\4" + bytes(50), b"nonsense", bytes(1000)])
def test_no_archive_at_all(data):
    refused(data, "BadZipFile")


def test_members_of_another_kind():
    refused(zipped([("readme.txt", "hello")]), "must hold .npy arrays, but has readme.txt")
    refused(zipped([("folder/", "")]), "must hold .npy arrays, but has folder/")


def test_a_member_without_a_name():
    data = zipped((MEMBERS | {".npy": MEMBERS["audio.npy"]}).items())
    refused(data, "the archive's arrays must have names, but one has none")
    assert load_bytes(validate, data)


def test_a_wrong_checksum():
    data = npz_bytes(ARRAYS)
    place = data.index(ARRAYS["audio"].tobytes())
    refused(data[:place] + bytes(4) + data[place + 4 :], "CRC")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_twice():
    twice = [*MEMBERS.items(), ("audio.npy", MEMBERS["audio.npy"])]
    refused(zipped(twice), "audio must be .* once")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(method):
    refused(with_audio(MEMBERS["audio.npy"], method), "stored or deflated")


def encrypted(data):
    """Sets the flag in the headers of all members."""
    data = data.replace(b"PK\3\4\x14\0\0\0", b"PK\3\4\x14\0\1\0")
    return data.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")


def test_an_encrypted_member():
    refused(encrypted(with_audio(MEMBERS["audio.npy"])), "encrypted")


def directory_entry(data, name):
    """Where the central directory's entry for a member starts."""
    return data.rindex(b"PK\1\2", 0, data.rindex(name))


def declare(data, name, size):
    """Changes a member's size, deflated not, in the directory."""
    place = directory_entry(data, name) + 24
    return data[:place] + size.to_bytes(4, "little") + data[place + 4 :]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_that_declares_more_than_it_can_hold(method):
    start = header((10**9, 1))
    whole = with_audio(start + bytes(72), method)
    data = declare(whole, b"audio.npy", len(start) + 4 * 10**9)
    refused(data, "audio: refused: .* cannot decompress to 4000000128")


def test_a_member_that_inflates_to_more_than_it_declares():
    start = header((6, 1000))
    whole = with_audio(start + bytes(2**24), zipfile.ZIP_DEFLATED)
    refused(declare(whole, b"audio.npy", len(start) + 24000), "CRC")


def test_a_member_that_inflates_to_less_than_it_declares():
    start = header((6, 1000))
    whole = with_audio(start + bytes(20000), zipfile.ZIP_DEFLATED)
    data = declare(whole, b"audio.npy", len(start) + 24000)
    refused(data, "audio: 24000 bytes must follow the header, but got 20000")


def test_zeros_are_honest_however_small_they_deflate():
    arrays = npz_arrays(make_sample(lengths=((2000,),), splits=("train",)))
    arrays["audio"] = np.zeros((2000, 500), np.float32)
    data = npz_bytes({"audio": arrays.pop("audio")} | arrays, np.savez_compressed)
    assert load_bytes(load_npz, data).in_channels["audio"] == 500


def test_members_that_overlap():
    # A few thousand entries of the directory that all point at the same large member.
    large = header((2**16, 1)) + bytes(2**18)
    whole = zipped([("a.npy", large)])
    start = directory_entry(whole, b"a.npy")
    end = whole.rindex(b"PK\5\6")
    entry = whole[start:end]
    entries = [entry.replace(b"a.npy", b"%c.npy" % letter) for letter in b"abcdefghij"]
    tail = bytearray(whole[end:])
    tail[8:12] = len(entries).to_bytes(2, "little") * 2
    tail[12:16] = sum(map(len, entries)).to_bytes(4, "little")
    data = whole[:start] + b"".join(entries) + bytes(tail)
    with pytest.raises(FormatError, match="members are larger than the archive"):
        load_bytes(load_npz, data)
