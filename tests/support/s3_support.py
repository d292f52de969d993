"""An S3 of our own on this machine, moto's server behind a counter: a pytest plugin."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

BUCKET = "data"


needs_s3 = pytest.mark.frameworks("s3fs", "moto", "flask")
Environment = dict[str, Any]


class S3:
    """The server, which can be stopped and started again with what it holds.

    Attributes:
        requests: method and path of all so far.
        before: called with each request's method and path before it is answered; returns the status
            to answer with in place of moto, or None.
        valid_key: the access key whose requests are not refused; None for any.
    """

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app

        self.requests: list[str] = []
        self.before: Callable[[str], str | None] = lambda request: None
        self.valid_key: str | None = None
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._port = 0
        self.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        from werkzeug.serving import WSGIRequestHandler, make_server

        class Quiet(WSGIRequestHandler):
            def log_request(self, *args: Any, **kwargs: Any) -> None:
                """Says nothing."""

        self._server = make_server("127.0.0.1", self._port, self._answer, True, request_handler=Quiet)
        self._port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}{query}"
        self.requests.append(request)
        status = self.before(request)
        signature = environ.get("HTTP_AUTHORIZATION", "")
        if self.valid_key is not None and f"Credential={self.valid_key}/" not in signature:
            status = "403 Forbidden"
        if status is None:
            answered: Iterable[bytes] = self._moto(environ, start_response)
            return answered
        start_response(status, [("Content-Length", "0")])
        return []

    def count(self, beginning: str) -> int:
        return sum(request.startswith(beginning) for request in self.requests)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3]:
    """A server without anything, which this process and its workers use from now on."""
    import fsspec
    import fsspec.asyn
    import s3fs

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        server = S3()
        # Not in the environment: that workers are told is part of the tests.
        patch.setitem(fsspec.config.conf, "s3", {"endpoint_url": server.endpoint})
        yield server
        for fs in list(s3fs.S3FileSystem._cache.values()):
            fs.close_session(fsspec.asyn.get_loop(), fs._s3)
        # Of every class: a `simplecache::s3://` holds the connection to this server, too.
        for file_system in set(fsspec.registry.values()):
            file_system.clear_instance_cache()
        server.stop()


@pytest.fixture
def s3(s3_server: S3) -> Iterator[S3]:
    """The server, which forgets after each test what it was told."""
    s3_server.requests.clear()
    yield s3_server
    s3_server.before = lambda request: None
    s3_server.valid_key = None


def upload(source: Path, target: str, bucket: str = BUCKET) -> str:
    """Puts a file or folder into a bucket, which is made; returns its URL."""
    import fsspec

    files = fsspec.filesystem("s3")
    files.makedirs(bucket, exist_ok=True)
    files.put(str(source), f"{bucket}/{target}", recursive=source.is_dir())
    return f"s3://{bucket}/{target}"
