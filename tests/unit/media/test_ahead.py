"""Running ahead in a thread: the same items, bounded, with its errors, and gone when nobody listens."""

import threading
import time

import pytest

from styleheat_cli.media.ahead import ahead


def workers():
    return [t for t in threading.enumerate() if t.name == "ahead"]


@pytest.fixture(autouse=True)
def nobody_left():
    yield
    deadline = time.monotonic() + 2
    while workers() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert workers() == []


@pytest.mark.parametrize("depth", [1, 2, 100])
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_all_items_come_in_order(count, depth):
    assert list(ahead(range(count), depth)) == list(range(count))


def test_none_is_an_item_like_any_other():
    assert list(ahead([None, 1, None])) == [None, 1, None]


def test_it_runs_ahead_by_no_more_than_its_depth():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    taken = ahead(items(), depth=3)
    for wanted in range(10):
        assert next(taken) == wanted
        time.sleep(0.02)
        # three in the queue, one in the hand of the thread that waits for room
        assert wanted + 2 <= len(made) <= wanted + 1 + 3 + 1
    taken.close()
    assert len(made) < 20


@pytest.mark.timed
def test_work_and_use_go_on_at_the_same_time():
    def slow():
        for i in range(10):
            time.sleep(0.03)
            yield i

    begun = time.monotonic()
    for _ in ahead(slow(), 4):
        time.sleep(0.03)
    assert time.monotonic() - begun < 0.55  # 0.6 s and more one after the other


def test_an_error_comes_where_its_item_would_have():
    def items():
        yield 1
        yield 2
        raise KeyError("third")

    taken = ahead(items())
    assert [next(taken), next(taken)] == [1, 2]
    with pytest.raises(KeyError, match="third"):
        next(taken)


def test_closing_ends_the_thread_and_closes_the_items():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    taken = ahead(endless(), 2)
    next(taken)
    taken.close()
    assert closed.wait(2)


def test_dropping_it_ends_the_thread_too():
    taken = ahead(iter(int, 1), 2)
    next(taken)
    del taken


def test_an_error_of_the_consumer_passes_through():
    with pytest.raises(ZeroDivisionError):
        for _ in ahead(range(100), 2):
            _ = 1 // 0


def test_nothing_starts_before_the_first_item_is_wanted():
    started = []
    taken = ahead(started.append(i) or i for i in range(3))
    time.sleep(0.02)
    assert started == []
    assert list(taken) == [0, 1, 2]
