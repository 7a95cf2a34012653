"""How work tells of itself: a function that is called with events."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar


@dataclass(frozen=True)
class Event:
    """`done` of `total` units of a stage are finished; `total` is 0 where it is unknown."""

    stage: str
    done: int
    total: int = 0
    unit: str = "frames"


Progress = Callable[[Event], None]

Item = TypeVar("Item")


def silent(event: Event) -> None:
    """The progress of those who do not want to know."""


def counted(items: Iterable[Item], stage: str, total: int, progress: Progress) -> Iterator[Item]:
    """The same items; tells `progress` of each once it has been used."""
    for done, item in enumerate(items, start=1):
        yield item
        progress(Event(stage, done, total))
