"""What `imageloom browse` serves: in this process, or as a program of its own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from imageloom._cli.browsing.calls import flow_call
from imageloom._cli.browsing.data import BrowsedData
from imageloom._cli.browsing.inspection import Inspection
from imageloom._cli.browsing.server import LoopbackServer
from imageloom._cli.browsing.site import Site
from imageloom._cli.listed import TableColumns, list_data

PATIENCE = 60


class Client:
    """Asks a server, as a browser would or would not."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{self.token}/"

    def ask(
        self, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Sends a request for a target as it is given; the body has been read into `body`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest(method, target, skip_host=True)
            for name, value in {"Host": f"127.0.0.1:{self.port}", **(headers or {})}.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            response.body = response.read()  # type: ignore[attr-defined]
            return response
        finally:
            connection.close()

    def get(self, path: str, status: int = 200, **fields: object) -> bytes:
        response = self.ask(f"/{self.token}/{quote(path)}?{urlencode(fields)}")
        body: bytes = response.body  # type: ignore[attr-defined]
        assert response.status == status, body
        return body

    def json(self, path: str, **fields: object) -> Any:
        return json.loads(self.get(path, **fields))


@contextmanager
def served(
    place: Path | str,
    columns: TableColumns | None = None,
    *,
    inspects: bool = False,
    extensions: list[str] | None = None,
) -> Iterator[Client]:
    """A data set, served by a thread of this process."""
    columns = columns or TableColumns()
    listed = list_data(place, columns, None, extensions)
    data = BrowsedData(listed)
    inspection = Inspection(place, listed, data.numbers, wanted=inspects)
    site = Site(place, data, inspection, flow_call(place, columns, extensions))
    with warnings.catch_warnings(), LoopbackServer(0, site.answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        inspection.start()
        try:
            warnings.simplefilter("ignore")  # as the command does: the page shows them
            yield Client(server.server_port, server.token)
        finally:
            inspection.stop()
            server.shutdown()
            thread.join()


@contextmanager
def browsing(*arguments: object, **options: Any) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """The program itself, which has printed its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "imageloom", "browse", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), process.stderr.read()
            port, token = url.removeprefix("http://127.0.0.1:").removesuffix("/").split("/")
            yield process, Client(int(port), token)
        finally:
            process.kill()
