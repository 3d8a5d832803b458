"""Decoding of audio and video files by time."""
