"""Damaged and odd files: what each of them gives, or the words in which it is refused."""

import logging
import os
import re
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from styleheat_cli.errors import InputError
from styleheat_cli.media.reader import frames, probe
from tests import synthetic
from tests.synthetic import number_of, numbered_frames, write_clip


def text(path):
    path.write_text("not a film\n" * 400)


def nothing(path):
    path.write_bytes(b"")


def noise(path):
    path.write_bytes(np.random.default_rng(1).integers(0, 256, 100_000, np.uint8).tobytes())


def zeros(path):
    path.write_bytes(bytes(100_000))


def folder(path):
    path.mkdir()


def absent(path):
    pass


def looped_link(path):
    path.symlink_to(path)


def dead_link(path):
    path.symlink_to(path.with_name("gone.mp4"))


def no_moov(path):
    synthetic.without_index(write_clip(path.with_name("whole.mp4"), numbered_frames(9)), path)


def only_head(path):
    whole = write_clip(path.with_name("whole.mp4"), numbered_frames(9), container={"movflags": "faststart"})
    path.write_bytes(whole.read_bytes()[: whole.read_bytes().find(b"mdat") + 8])


def half_photo_head(path):
    synthetic.photo(path.with_name("whole.jpg"))
    path.write_bytes(path.with_name("whole.jpg").read_bytes()[:200])


def playlist(path):
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")


def concat_script(path):
    path.write_text("ffconcat version 1.0\nfile /etc/passwd\n")


def sound_only(path):
    synthetic.write_sound(path.with_name("a.wav"), synthetic.tone(1)).rename(path)


def cover_art(path):
    synthetic.cover_art_mp3(path.with_name("a.mp3")).rename(path)


def pixel_bomb(path):
    """A PNG header that claims 60000 x 60000 pixels."""
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 9) + b"IDAT" + bytes(13)
    )  # fmt: skip


def all_packets_damaged(path):
    whole = write_clip(path.with_name("whole.mp4"), numbered_frames(9))
    synthetic.corrupted(whole, path, packets=range(9))


REFUSED = {
    text: "is no media file",
    nothing: "is empty",
    noise: "is no media file",
    zeros: "is no media file",
    folder: "is a folder",
    absent: "no such file",
    looped_link: "cannot be opened",
    dead_link: "no such file",
    no_moov: "moov.* is missing",
    only_head: "gives no picture",
    half_photo_head: "",
    playlist: "",
    concat_script: "",
    sound_only: "has no picture; it holds sound",
    cover_art: "has no picture but cover art",
    pixel_bomb: "larger than 89 megapixels",
    all_packets_damaged: "gives no picture",
}


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_what_gives_no_picture_is_refused_in_words(make, tmp_path):
    path = tmp_path / "talk.mp4"
    make(path)
    with pytest.raises(InputError, match=f"talk.mp4.*{REFUSED[make]}|{REFUSED[make]}.*talk.mp4") as caught:
        list(frames(probe(path)))
    assert caught.value.hint


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path):
    path = synthetic.photo(tmp_path / "a.png")
    path.chmod(0)
    with pytest.raises(InputError, match="may not be read"):
        probe(path)


def test_reading_opens_no_network_socket(tmp_path, monkeypatch):
    """A playlist renamed .mp4 names a local port: nobody may knock there."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        path = tmp_path / "a.mp4"
        port = server.getsockname()[1]
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n")
        with pytest.raises(InputError):
            probe(path)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_gives_what_is_there(suffix, share, tmp_path, caplog):
    how = {"container": {"movflags": "faststart"}} if suffix == "mp4" else {}
    whole = synthetic.face_clip(tmp_path / f"whole.{suffix}", 4, sound=False, gop=25, **how)
    clip = probe(synthetic.truncated(whole, share, tmp_path / f"a.{suffix}"))
    read = list(frames(clip))
    assert len(read) == clip.frames and share * 60 < clip.frames < 100
    assert [f.time for f in read] == [Fraction(i, 25) for i in range(clip.frames)]
    if suffix == "mp4":
        missing = int(re.search(r"a\.mp4 is cut short: (\d+) pictures at its end are missing", caplog.text)[1])
        assert 100 - missing <= clip.frames <= 100 - missing + 1  # the last one may be there in part


def test_damage_in_the_middle_keeps_time_by_holding_the_last_good_picture(tmp_path, caplog):
    whole = write_clip(tmp_path / "whole.mp4", synthetic.face_frames(100), gop=25, options={"bf": "0"})
    clip = probe(synthetic.corrupted(whole, tmp_path / "a.mp4", packets=[40, 41, 42]))
    good = {f.index: f.image for f in frames(probe(whole))}
    read = list(frames(clip))
    assert [(f.index, f.time) for f in read] == [(i, Fraction(i, 25)) for i in range(100)]
    assert all(np.array_equal(read[i].image, good[i]) for i in [*range(40), *range(50, 100)])
    assert np.array_equal(read[40].image, good[39])
    assert "could not be decoded; the one before is held" in caplog.text


def test_a_size_that_changes_is_scaled_to_the_first(tmp_path, caplog):
    clip = probe(synthetic.two_sizes(tmp_path / "a.ts"))
    read = list(frames(clip))
    assert {f.image.shape for f in read} == {(64, 96, 3)} == {(clip.height, clip.width, 3)}
    assert [number_of(f.image) for f in read] == [*range(10), *range(10)]
    assert "changes its size from 96x64 to 192x128" in caplog.text


def place(times, clip_fps=25):
    """The mended times of pictures whose own are `times` (None: missing), in ticks of 1/1000 s."""
    from styleheat_cli.media.reader import Places
    from styleheat_cli.media.timeline import Look, Timeline
    from styleheat_cli.shot import Colour

    known = sorted(t for t in times if t is not None)
    first = next((t for t in times if t is not None), 0)
    timeline = Timeline(np.array(known), first, len(times), False, Fraction(1, 1000), Fraction(clip_fps), 40,
                        Look(64, 96, 0, False, Colour()), None)  # fmt: skip
    places = Places(timeline, "a.avi")
    return [places(t) for t in times]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([0, 40, 80, 120], [0, 40, 80, 120]),
        ([0, 40, None, 120], [0, 40, 80, 120]),
        ([None, None, None], [0, 40, 80]),
        ([0, 40, 40, 80, 120], [0, 40, 60, 80, 120]),  # a duplicate goes half-way to the next
        ([0, 80, 40, 120], [0, 80, 100, 120]),  # a small step back
        ([5000, 5040, 5080, 0, 40], [0, 40, 80, 120, 160]),  # the tape starts anew
        ([-80, -40, 0, 40], [0, 40, 80, 120]),  # starts before zero
    ],
)
def test_times_that_do_not_move_forward_are_mended(times, expected):
    found = place(times)
    assert [index for index, _ in found] == list(range(len(times)))
    assert [pts for _, pts in found] == expected


def test_a_raw_stream_without_times_is_read_at_its_rate(tmp_path):
    clip = probe(write_clip(tmp_path / "a.h264", numbered_frames(20), muxer="h264", options={"bf": "0"}))
    read = list(frames(clip))
    assert [number_of(f.image) for f in read] == list(range(20))
    assert all(b.time > a.time for a, b in pairwise(read))
    assert abs(float(read[-1].time) - 19 / 25) < 0.05


def test_pictures_cut_off_by_an_edit_list_are_not_shown(tmp_path, caplog):
    """mp4 hides pictures before time 0: here the first five of fifteen."""
    path = write_clip(tmp_path / "a.mp4", numbered_frames(15), pts=range(-5, 10), options={"bf": "0"}, gop=1)
    clip = probe(path)
    read = list(frames(clip))
    assert [number_of(f.image) for f in read] == list(range(5, 15))
    assert [f.time for f in read] == [Fraction(i, 25) for i in range(10)]
    assert clip.frames == 10
    assert caplog.text == "", "nothing is missing that was meant to be seen"


def test_interlaced_video_is_taken_woven_with_a_note(tmp_path, caplog):
    path = write_clip(tmp_path / "a.mkv", numbered_frames(4), options={"x264-params": "tff=1:interlaced=1"})
    clip = probe(path)
    assert len(list(frames(clip))) == 4
    assert "is interlaced" in caplog.text


@pytest.mark.parametrize(("codec", "pixel_format", "suffix"), [
    ("mpeg4", "yuv420p", "avi"), ("mpeg2video", "yuv420p", "mpg"), ("libvpx-vp9", "yuv420p", "webm"),
    ("libvpx", "yuv420p", "webm"), ("libx265", "yuv420p", "mp4"), ("prores_ks", "yuv422p10le", "mov"),
    ("mjpeg", "yuvj420p", "avi"), ("libsvtav1", "yuv420p", "mp4"), ("ffv1", "bgr0", "mkv"),
])  # fmt: skip
def test_common_codecs_are_read(codec, pixel_format, suffix, tmp_path):
    pictures = numbered_frames(30, 128, 192)
    clip = probe(write_clip(tmp_path / f"a.{suffix}", pictures, codec=codec, pixel_format=pixel_format))
    read = list(frames(clip))
    assert [number_of(f.image) for f in read] == list(range(30)) == [f.index for f in read]
    assert abs(float(read[-1].time) - 29 / 25) < 0.002


def test_hidden_pictures_of_vp8_are_not_counted(tmp_path):
    """VP8 keeps references that are never shown as packets of their own."""
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "good", "cpu-used": "5"}
    clip = probe(write_clip(tmp_path / "a.webm", synthetic.face_frames(60), codec="libvpx", options=options))
    assert clip.frames == 60 == len(list(frames(clip)))


def test_a_seek_in_a_damaged_file_falls_back_to_reading_all(tmp_path):
    whole = write_clip(tmp_path / "whole.mkv", numbered_frames(100), gop=25, options={"bf": "0"})
    clip = probe(synthetic.truncated(whole, 0.8, tmp_path / "a.mkv"))
    part = list(frames(clip, 2.0, 2.4))
    assert [number_of(f.image) for f in part] == list(range(50, 60))


def test_notes_go_to_the_log_and_not_to_the_terminal(tmp_path, capfd):
    logging.getLogger("styleheat_cli").setLevel(logging.CRITICAL)
    try:
        whole = write_clip(tmp_path / "whole.mp4", numbered_frames(30), gop=10)
        list(frames(probe(synthetic.corrupted(whole, tmp_path / "a.mp4", packets=[12, 13]))))
    finally:
        logging.getLogger("styleheat_cli").setLevel(logging.NOTSET)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "damaged" not in captured.err
