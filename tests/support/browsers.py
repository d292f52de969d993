"""A real browser for tests, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final

import pytest
from programs import PROGRAMS, environment_of

PATIENCE: Final = 60


class Browser:
    """A browser that shows a page."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._pause = threading.Event()

    def ask(self, *words: object) -> Any:
        """Has it obey one line; see `in_a_browser.py`."""
        assert self._process.stdin is not None
        print(json.dumps(words), file=self._process.stdin, flush=True)
        return self.answer()

    def answer(self) -> Any:
        """What it says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the browser has ended with status {self._process.wait(PATIENCE)}"
        return json.loads(line)

    def run(self, code: str) -> Any:
        """The value of an expression in JavaScript."""
        return self.ask("run", f"return {code}")

    def do(self, code: str) -> None:
        """Runs statements."""
        self.ask("run", code)

    def wait_for(self, code: str) -> Any:
        """Waits until an expression is true, and returns its value."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(code)):
            assert time.monotonic() < end, f"not so after {PATIENCE} s: {code}"
            self._pause.wait(0.02)
        return value


def skip_without_browser() -> None:
    """Skips the test if no browser is installed."""
    if find_spec("PySide6") is None or find_spec("PySide6.QtWebEngineWidgets") is None:
        pytest.skip("there is no browser: pip install --group browser, which is for Linux")


@contextmanager
def browser_at(url: str, *, scheme: str = "light") -> Iterator[Browser]:
    """A browser that shows the page at an address; skips the test if the browser does not start.

    Args:
        url: the address.
        scheme: the colours that its user prefers, `"light"` or `"dark"`.
    """
    process = subprocess.Popen(
        [sys.executable, str(PROGRAMS / "cli" / "in_a_browser.py"), url, scheme],
        env=environment_of(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            browser = Browser(process)
            started = process.stdout is not None and process.stdout.readline()
            if not started:
                _, said = process.communicate(timeout=PATIENCE)
                pytest.skip(f"the browser does not start here: {said.strip()[-300:]}")
            assert json.loads(started) is True, "the page cannot be loaded"
            yield browser
        finally:
            process.kill()  # with its children, which notice it
