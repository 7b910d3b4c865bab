"""The archive: one .npz file of multimodal samples that any user can write in five lines."""

from motet.data.archive.file import load, save

__all__ = ["load", "save"]
