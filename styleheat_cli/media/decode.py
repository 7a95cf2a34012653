"""Packets to pictures: decoding that survives damage."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer

log = logging.getLogger(__name__)

MOST_DAMAGED = 100_000  # packets: a file that fails forever is not worth waiting for


def decoded(
    container: InputContainer, stream: av.VideoStream | av.AudioStream, path: Path, *, quiet: bool = False
) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """What a stream holds, in the order it is shown; damaged packets are passed over with a note at the end."""
    if stream.type == "video":
        stream.thread_type = "AUTO"
    damaged = 0
    packets = container.demux(stream)
    while damaged < MOST_DAMAGED:
        try:
            packet = next(packets)
        except StopIteration:
            break
        except av.error.FFmpegError as error:
            damaged += 1
            if isinstance(error, av.error.EOFError):
                break
            continue
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            damaged += 1
    if damaged and not quiet:
        log.warning("%s: %d damaged packets (%s) were passed over", path.name, damaged, stream.type)
