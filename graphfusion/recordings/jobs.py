"""One job: what one extractor makes of one conversation."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import batched_ as batched
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphfusion.recordings.cache import Vectors, cache_key, read_cache, write_cache
from graphfusion.recordings.extractors.protocol import Absent, Extractor
from graphfusion.recordings.media import FrameReader, SoundReader, open_sound
from graphfusion.recordings.segment import Segment
from graphfusion.recordings.table import Utterance
