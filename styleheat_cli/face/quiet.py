"""Native libraries write to file descriptor 2 behind Python's back; here they are made to hold their tongue."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2
_NOISE = re.compile(
    rb"^([IWE]\d{4} \d\d:\d\d:\d\d|[IWE]\d{4,8} |INFO: |WARNING: All log messages before absl"
    rb"|WARNING: All log messages).*$"
)
_SETTINGS = {"GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3", "ABSL_MIN_LOG_LEVEL": "3"}
_lock = threading.RLock()
_depth = 0


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, log lines of TensorFlow Lite, absl and glog on file descriptor 2 are swallowed.

    Whatever else anybody wrote there meanwhile, other threads too, is written out at the end. One thread at a time;
    nested use is free. Where the process has no descriptor 2 there is nothing to do.
    """
    global _depth
    with _lock:
        _depth += 1
        try:
            if _depth > 1:
                yield
            else:
                yield from _held_back()
        finally:
            _depth -= 1


def _held_back() -> Iterator[None]:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        real = os.dup(STDERR)
    except OSError:
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), STDERR)
        try:
            yield
        finally:
            os.dup2(real, STDERR)
            os.close(real)
            kept.seek(0)
            _replay(kept.read())


def _replay(text: bytes) -> None:
    """Write what was not noise."""
    rest = b"".join(line for line in text.splitlines(keepends=True) if not _NOISE.match(line))
    while rest:
        rest = rest[os.write(STDERR, rest):]
