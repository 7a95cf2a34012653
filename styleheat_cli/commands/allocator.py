"""The memory that large pictures leave: kept by the process that owns itself, instead of given back and fetched anew."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> bool:
    """Let the C library reuse large buffers instead of mapping fresh pages for each; true where that was possible.

    With glibc, page faults of freshly mapped activations cost up to half of the CPU time at 1024 px. This concerns the
    whole process, so whoever owns it calls this, once, before the first frame.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
