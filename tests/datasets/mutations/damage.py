"""What any file may suffer, and what the formats share."""

import random

from tests.datasets.samples import make_sample

SIZES = (0, 1, -1, 2, 3, 6, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1, 2**64, 10**30)


def sample(seed: int):
    return make_sample(seed, lengths=((3, 2), (2,)), num_classes=3)


def damage(rng: random.Random, data: bytes, other: bytes = b"") -> bytes:
    """Bytes changed, cut off, lost, repeated, inserted, or followed by the end of another file."""
    broken = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        start, stop = sorted(rng.randrange(len(broken) + 1) for _ in range(2))
        kind = rng.choice(
            ("flip", "flip", "set", "number", "cut", "lose", "repeat", "insert", "splice")
        )
        if kind in ("flip", "set", "number") and start < len(broken):
            if kind == "flip":
                broken[start] ^= 1 << rng.randrange(8)
            elif kind == "set":
                broken[start] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            else:
                number = rng.choice((0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, len(broken)))
                width = rng.choice((2, 4, 8))
                raw = (number % 2 ** (8 * width)).to_bytes(width, rng.choice(("little", "big")))
                broken[start : start + width] = raw
        elif kind == "cut":
            del broken[start:]
        elif kind == "lose":
            del broken[start : min(stop, start + 64)]
        elif kind == "repeat":
            broken[start:start] = broken[start : min(stop, start + 512)]
        elif kind == "insert":
            broken[start:start] = rng.randbytes(rng.randrange(1, 9))
        elif kind == "splice" and other:
            broken[start:] = other[rng.randrange(len(other)) :]
    return bytes(broken)
