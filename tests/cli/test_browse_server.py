"""`imageloom browse` as a server: who gets an answer, and how it begins and ends."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from browsing import PATIENCE, Client, browsing, served
from command_line import run
from PIL import Image

from imageloom._addresses import address_line


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair")
    for name in ("a", "b"):
        (folder / name).mkdir()
        Image.effect_noise((20, 10), 60).save(folder / name / "x.png")
    return folder


@pytest.fixture(scope="module")
def client(pair: Path) -> Iterator[Client]:
    with served(pair) as client:
        yield client


# Who gets an answer


def test_only_those_who_know_the_token(client: Client) -> None:
    assert len(client.token) >= 32
    wrong = (
        "/?", "/", "/set", f"/{client.token[:-1]}/set", f"/{client.token}x/set", "/%C3%A9/set", "//set",
        f"/{client.token.swapcase()}/set", f"/x/{client.token}/set", "http://127.0.0.1/x/set", "*",
    )  # fmt: skip
    bodies = set()
    for target in wrong:
        response = client.ask(target)
        assert response.status == 403, target
        bodies.add(response.body)  # type: ignore[attr-defined]
    assert len(bodies) == 1, "nobody can tell why"
    assert client.json("set")["images"] == 2


def test_each_server_has_another_token(client: Client, pair: Path) -> None:
    with served(pair) as other:
        assert other.token != client.token
        assert other.ask(f"/{client.token}/set").status == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{}", ""],
)
def test_other_names_for_this_machine_are_refused(client: Client, host: str) -> None:
    """A page of another name cannot read the answers, whatever its name stands for."""
    headers = {"Host": host.format(client.port)}
    assert client.ask(f"/{client.token}/set", headers=headers).status == 403
    assert client.ask(f"/{client.token}/", headers=headers).status == 403


def test_localhost_is_this_server(client: Client) -> None:
    headers = {"Host": f"localhost:{client.port}"}
    assert client.ask(f"/{client.token}/set", headers=headers).status == 200


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /{}/set HTTP/1.0", b" 403 "),  # without a host
        ("GET /\xe9\xff/set HTTP/1.0", b" 403 "),
        ("GET /{}/set HTTP/9.9", b"Version Not Supported"),
        ("what", b"Bad Request"),
        ("GET /" + "x" * 70_000 + " HTTP/1.0", b" 414 "),
    ],
    ids=("no host", "no ASCII", "version", "no request", "long"),
)
def test_what_is_no_request_of_a_browser(client: Client, request_line: str, status: bytes) -> None:
    with (
        socket.create_connection(("127.0.0.1", client.port), PATIENCE) as connection,
        connection.makefile("rb") as answer,
    ):
        connection.sendall(request_line.format(client.token).encode("latin-1") + b"\r\n\r\n")
        assert status in answer.read()


@pytest.mark.parametrize(
    "path",
    [
        "../server.py", "..%2fserver.py", "/etc/passwd", "page.html", "page.js%00", "server.py",
        "page.js/", "thumbnail/0", "C:\\Windows\\win.ini", "a/x.png",
    ],
)  # fmt: skip
def test_there_are_no_paths(client: Client, path: str) -> None:
    response = client.ask(f"/{client.token}/{path}")
    assert response.status == 404


@pytest.mark.parametrize("number", ["-1", "2", "1e9", "/etc/passwd", "", "0x0", "a/x.png", "9" * 5000])
def test_files_have_numbers(client: Client, number: str) -> None:
    for path in ("thumbnail", "versions"):
        assert client.get(path, status=400, number=number).count(b"\n") == 1
    assert client.get("files", status=400, **{"class": number})


def test_too_many_fields(client: Client) -> None:
    client.get("files", status=400, **{f"x{i}": i for i in range(1000)})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"])
def test_nothing_can_be_changed(client: Client, method: str) -> None:
    assert client.ask(f"/{client.token}/set", method=method).status == 501


def test_head(client: Client) -> None:
    response = client.ask(f"/{client.token}/", method="HEAD")
    assert response.status == 200
    assert response.body == b""  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["", "page.js", "set", "thumbnail?number=0", "nowhere"])
def test_every_answer_forbids_what_the_page_does_not_need(client: Client, path: str) -> None:
    response = client.ask(f"/{client.token}/{path}")
    policy = dict(
        part.strip().split(" ", 1) for part in response.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert policy["frame-ancestors"] == "'none'"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in response.headers


def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("").decode()
    loaded = re.findall(r'(?:src|href)="([^#"][^"]*)"', page)
    assert sorted(loaded) == ["icon.svg", "page.css", "page.js"]
    for name in loaded:
        assert client.get(name)
    code = client.get("page.js").decode()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|document\.write|https?://", code
    )
    assert not re.search(r" (?:on\w+|style)=", page)


# How it begins and ends


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c(pair: Path) -> None:
    """One line, the address; status 130; nothing is left, and the folder is as it was."""
    before = {path: path.stat().st_mtime_ns for path in pair.rglob("*")}
    with browsing(pair, "--no-open") as (process, client):
        program = psutil.Process(process.pid)
        listening = [c.laddr for c in program.net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening == [("127.0.0.1", client.port)]
        assert client.json("set")["images"] == 2
        assert client.json("versions", number=1, rotation_range=20)["versions"]
        assert not program.children()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out == ""
    assert err == "Interrupted.\n"
    assert {path: path.stat().st_mtime_ns for path in pair.rglob("*")} == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", client.port), PATIENCE)


@pytest.mark.skipif(os.name != "posix", reason="a browser that is a shell script")
def test_it_opens_the_browser(pair: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    browser.chmod(0o755)
    environment = {**os.environ, "BROWSER": str(browser)}
    with browsing(pair, "--no-inspect", env=environment) as (_, client), open(told) as opened:
        assert opened.read() == f"{client.url}\n"
        assert not client.json("findings")["wanted"]


def test_a_port_of_ones_own_choice(client: Client, pair: Path) -> None:
    result = run("browse", pair, "--no-open", "--port", client.port, status=1)
    assert result.stdout == ""
    assert str(client.port) in result.stderr
    assert "--port" in result.stderr
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with browsing(pair, "--no-open", "--port", port) as (_, other):
        assert other.port == port


def test_no_images(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    browsed = run("browse", tmp_path / "empty", "--no-open", status=1)
    bench = run("bench", tmp_path / "empty", status=1)
    assert browsed.stdout == ""
    assert browsed.stderr.splitlines()[-1] == bench.stderr.splitlines()[-1]


def test_a_table_that_is_none(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    result = run("browse", table, "--no-open", status=1)
    assert "filename" in result.stderr
    assert result.stderr.splitlines()[1:] == [address_line("MissingColumnError")]
