"""Sound and pictures of files: which part of which file, by its clock."""

from graphfusion.recordings.media.frames import FrameReader
from graphfusion.recordings.media.probe import probe
from graphfusion.recordings.media.sound import SoundReader, open_sound

__all__ = ["FrameReader", "SoundReader", "open_sound", "probe"]
