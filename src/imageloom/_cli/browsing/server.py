"""An HTTP server on loopback that answers those who know its token, and nobody else.

Every user and every program of the machine can reach a port on loopback, and so can any web page that
is open in the browser. So a request must have

* the token, which is random, in its path. It is compared in constant time;
* a `Host` of this server. Otherwise a page of a name that its owner points to 127.0.0.1 could read the
  answers (DNS rebinding).

The answers forbid whatever the page does not need: code, styles and connections from elsewhere, code
in texts, frames, and referrers, which would tell the token.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socketserver
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from imageloom._errors import ImageLoomError, in_one_line

__all__ = ["Answer", "LoopbackServer"]

_ADDRESS: Final = "127.0.0.1"
_SECONDS_TO_ASK: Final = 10  # from the connection to the end of the request
_SECONDS_TO_END: Final = 2  # for requests under way when the server ends
_MOST_FIELDS: Final = 40  # of a query
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The images are the user's: the browser keeps no copy of them.
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: its content, the media type of that, and the status."""

    content: bytes
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


_REFUSED: Final = Answer(
    b"Use the whole address that imageloom printed.\n", status=HTTPStatus.FORBIDDEN
)


class LoopbackServer(ThreadingHTTPServer):
    """Answers each request in a thread of its own.

    Attributes:
        token: the first part of the path of all requests.
    """

    daemon_threads = True  # one that reads a slow storage does not keep the program from ending
    request_queue_size = 64
    # On Windows, it would let another program take the port as well.
    allow_reuse_address = os.name == "posix"

    def __init__(self, port: int, answered: Callable[[str, Mapping[str, str]], Answer]) -> None:
        """Opens the port, so that requests wait until `serve_forever` is called.

        Args:
            port: the port; 0 takes a free one.
            answered: answers the request for a path, which is without the token, and for a query.

        Raises:
            OSError: the port is taken, or not allowed.
        """
        self.token = secrets.token_urlsafe(24)
        self._answered = answered
        self._under_way = 0
        self._changed = threading.Condition()
        super().__init__((_ADDRESS, port), _Request)

    def server_bind(self) -> None:
        """Binds the socket, without asking the network for the name of this machine."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _ADDRESS, self.server_address[1]

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{_ADDRESS}:{self.server_port}/{self.token}/"

    def answer(self, hosts: list[str], target: str) -> Answer:
        """Answers a request, unless its sender does not know the token.

        Args:
            hosts: the values of the header `Host`.
            target: the path and the query.
        """
        token, _, path = urlsplit(target).path.removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())
        if not known or len(hosts) != 1 or hosts[0] not in self._hosts():
            return _REFUSED
        try:
            fields = parse_qsl(
                urlsplit(target).query, keep_blank_values=True, max_num_fields=_MOST_FIELDS
            )
            return self._answered(path, dict(fields))
        except (ImageLoomError, OSError, ValueError) as error:
            text = in_one_line(" ".join(str(error).split()))
            return Answer(f"{text}\n".encode(), status=HTTPStatus.BAD_REQUEST)
        except Exception as error:
            text = in_one_line(f"{type(error).__name__}: {' '.join(str(error).split())}")
            return Answer(f"{text}\n".encode(), status=HTTPStatus.INTERNAL_SERVER_ERROR)

    def _hosts(self) -> set[str]:
        names = (_ADDRESS, "localhost")
        bare = set(names) if self.server_port == 80 else set()
        return bare | {f"{name}:{self.server_port}" for name in names}

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Handles one request, and counts those under way."""
        with self._changed:
            self._under_way += 1
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing if the browser no longer waits for an answer; it does so all the time."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Closes the port, and waits a little for the requests under way."""
        super().server_close()
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0, _SECONDS_TO_END)


class _Request(BaseHTTPRequestHandler):
    """One request, of a connection of its own."""

    server: LoopbackServer
    timeout = _SECONDS_TO_ASK
    server_version = "imageloom"
    sys_version = ""

    def do_GET(self) -> None:
        self._send(self.server.answer(self.headers.get_all("Host", []), self.path))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what is no request for a page, in the same way."""
        del message, explain
        status = HTTPStatus(code)
        self._send(Answer(f"{status.phrase}\n".encode(), status=status))

    def log_message(self, format: str, *args: Any) -> None:
        """Keeps quiet: the only thing to read is the address."""
        del format, args
