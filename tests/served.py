"""Files behind HTTP on loopback, served well or badly."""

from __future__ import annotations

import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CHUNK = 1 << 20
FLIPPED = 40
"""Bytes from the end of the one that a `flip` changes."""


class Published:
    """A folder of published files behind HTTP; `faults` are used up, one a request, by file name: `cut`, `flip`, `page` or a status."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.faults: dict[str, deque[str]] = {}
        self.requests: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *message):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.lstrip("/")
        self.requests.append((name, request.headers.get("Range")))
        queue = self.faults.get(name)
        fault = queue.popleft() if queue else ""
        path = self.folder / name
        if fault.isdigit() or not path.is_file():
            request.send_error(int(fault or 404))
            return
        length, begin = path.stat().st_size, 0
        version = f'"{path.stat().st_mtime_ns}"'
        wanted = request.headers.get("Range")
        if wanted and request.headers.get("If-Range") == version:
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
        request.send_response(206 if begin else 200)
        request.send_header("Content-Type", "text/html" if fault == "page" else "application/octet-stream")
        request.send_header("Content-Length", str(length - begin))
        request.send_header("ETag", version)
        request.end_headers()
        end = begin + (length - begin) // 2 if fault == "cut" else length
        with path.open("rb") as file:
            file.seek(begin)
            for at in range(begin, end, CHUNK):
                chunk = bytearray(file.read(min(CHUNK, end - at)))
                if fault == "flip" and at <= length - FLIPPED < at + CHUNK:
                    chunk[length - FLIPPED - at] ^= 4
                request.wfile.write(chunk)
