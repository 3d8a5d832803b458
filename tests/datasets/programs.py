"""Pickles written by hand, and as Python 2 wrote them."""

import io
import pickle

import pytest

from graphfusion.datasets import FormatError, load_pickle
from tests.datasets.samples import load_bytes, make_sample, pickle_fields

FIELDS = pickle_fields(make_sample(lengths=((2, 2), (2,))))
SMALL = 2**20  # more than any honest file here takes
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def part(value, protocol=2):
    """The instructions that leave a value on the stack."""
    return pickle.dumps(value, protocol)[2:-1]


def program(**parts):
    """A pickle of FIELDS, a tenth element included, with instructions in place of some of them."""
    names = ("ids", "speakers", "labels", "text", "audio", "visual", "sentences", "train", "test")
    values = zip((*names, "tenth"), (*FIELDS, None), strict=True)
    return b"\x80\x02(" + b"".join(parts.get(n, part(value)) for n, value in values) + b"t."


def array2(dtype, shape, order, fortran, raw):
    """An array of six numbers, byte for byte as numpy's and Python 2.7's protocol 2 have it."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01" + shape + b"cnumpy\ndtype\nq\x04U\x02" + dtype + b"K\x00K\x01\x87Rq\x05"
        b"(K\x03U\x01" + order + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + fortran + b"U" + bytes([len(raw)]) + raw + b"tb"
    )  # fmt: skip


def refused(data, message="refused: "):
    with pytest.raises(FormatError, match=message):
        load_bytes(load_pickle, data)


class _Python2(pickle._Pickler):
    dispatch = pickle._Pickler.dispatch.copy()

    def save_native_string(self, value):
        raw = value if isinstance(value, bytes) else value.encode("ascii")
        if not self.bin:
            text = repr(raw)[1:]  # without the b
            self.write(pickle.STRING + text.encode("ascii") + b"\n")
        elif len(raw) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(raw)]) + raw)
        else:
            self.write(pickle.BINSTRING + len(raw).to_bytes(4, "little") + raw)
        self.memoize(value)

    dispatch[bytes] = dispatch[str] = save_native_string


def python2(value, protocol=2):
    """What Python 2 writes: bytes and text are one type, and numpy's modules have old names."""
    assert protocol <= 2
    file = io.BytesIO()
    _Python2(file, protocol).dump(value)
    return file.getvalue().replace(b"cnumpy._core.", b"cnumpy.core.")
