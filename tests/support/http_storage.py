"""Serves a folder by HTTP, as servers with and without range requests do."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

__all__ = ["WAYS", "serving"]

# The first part of a path says how the server answers: it returns parts of files ("parts"), or whole
# files whatever is asked for, and says so ("whole"), or not ("silent").
WAYS: Final = ("parts", "whole", "silent")
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")


class _Handler(http.server.BaseHTTPRequestHandler):
    # Not version 1.1, with which connections would stay open.
    folder: Path

    def do_HEAD(self) -> None:
        self._answer(with_content=False)

    def do_GET(self) -> None:
        self._answer(with_content=True)

    def log_message(self, *_: Any) -> None:
        """Prints nothing."""

    def _answer(self, *, with_content: bool) -> None:
        _, way, name = self.path.split("/", 2)
        file = self.folder / name
        if not file.is_file():
            self.send_error(404)
            return
        content = file.read_bytes()
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        if way == "parts" and asked is not None:
            start, end = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
            content = content[start : end + 1]
        else:
            self.send_response(200)
        if way != "silent":
            self.send_header("Accept-Ranges", "bytes" if way == "parts" else "none")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that needs no more ends its connection."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The URL of a server, below which each of `WAYS` has the files of a folder."""
    handler = type("Handler", (_Handler,), {"folder": folder})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
