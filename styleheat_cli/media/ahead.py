"""Work that runs ahead of its consumer in a thread of its own, by a few items and no more."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

END = object()


def ahead(items: Iterable[Item], depth: int = 4) -> Iterator[Item]:
    """The same items, made in a thread up to `depth` before they are asked for.

    What the items raise is raised here, at the place where the item would have come. When the consumer stops early
    (closes this iterator or drops it), the thread ends and the items are closed.
    """
    ready: queue.Queue = queue.Queue(maxsize=depth)
    stopped = threading.Event()
    worker = threading.Thread(target=_fill, args=(iter(items), ready, stopped), name="ahead", daemon=True)
    worker.start()
    try:
        while (item := ready.get()) is not END:
            if isinstance(item, _Raised):
                raise item.error
            yield item
    finally:
        stopped.set()
        _empty(ready)
        worker.join()


class _Raised:
    """An error on its way from the thread to the consumer."""

    def __init__(self, error: BaseException):
        self.error = error


def _fill(items: Iterator, ready: queue.Queue, stopped: threading.Event) -> None:
    try:
        for item in items:
            if not _put(ready, item, stopped):
                break
        if hasattr(items, "close"):
            items.close()
        _put(ready, END, stopped)
    except BaseException as error:  # carried over, raised by the consumer
        _put(ready, _Raised(error), stopped)


def _put(ready: queue.Queue, item: object, stopped: threading.Event) -> bool:
    """Waits for room; False where the consumer has gone."""
    while not stopped.is_set():
        try:
            ready.put(item, timeout=0.05)
            return True
        except queue.Full:
            continue
    return False


def _empty(ready: queue.Queue) -> None:
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return
