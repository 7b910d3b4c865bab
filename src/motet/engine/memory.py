"""Memory that PyTorch has freed is kept for its next tensors, where the C library can be asked for that.

By default glibc returns large pieces to the system as soon as they are free, and gets every page of the next large
tensor anew, filled with zeros: at the size of a block's tensors that takes a fifth of a round.
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # as in <malloc.h>
WISHES = (
    (TRIM_THRESHOLD, 2**31 - 1),  # bytes that may lie free at the end of the heap
    (TOP_PAD, 2**26),  # bytes by which the heap grows, and that a thread's heap keeps
    (MMAP_THRESHOLD, 2**25),  # bytes from which a piece is no part of the heap; the most that is allowed
)


def keep_freed_memory() -> None:
    """Ask the C library not to return what is freed; whatever is not glibc keeps its own ways."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in WISHES:
            mallopt(parameter, value)
