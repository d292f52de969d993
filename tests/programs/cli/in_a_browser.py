"""A browser without a window, for tests: Chromium, as Qt's WebEngine, which pip installs without root.

It opens the address that it is given, for a user who prefers dark colours if "dark" follows. Then it
obeys the lines of standard input, each of which is a JSON list, and answers each with a line of JSON.

* `["run", CODE]`: the value of some JavaScript, which is the body of a function; for an element, true.
* `["press", KEY, ...]`: keys of the keyboard, by their names in Qt, such as "Right" and "Tab".
* `["shape", WIDTH, HEIGHT]`: another size of the window.
* `["picture", FILE]`: what the window shows, as a file.
* `["told"]`: what the console has said since the last time.
* `["asked"]`: the addresses that pages have asked for since the last time.
* `["open", ADDRESS]`: another page; the answer is whether it could be loaded.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QTWEBENGINE_DISABLE_SANDBOX"] = "1"  # it would not start for root
SCHEME = 0 if "dark" in sys.argv else 1
os.environ["QTWEBENGINE_CHROMIUM_FLAGS"] = (
    f"--disable-gpu --disable-background-networking --blink-settings=preferredColorScheme={SCHEME}"
)

from PySide6.QtCore import QObject, Qt, QThread, QUrl, Signal
from PySide6.QtTest import QTest
from PySide6.QtWebEngineCore import (
    QWebEnginePage,
    QWebEngineProfile,
    QWebEngineUrlRequestInterceptor,
)
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication

# As a text, because Qt copies no lists, and of an element all that it refers to: the whole document.
AS_TEXT = """(() => {
  const found = (() => { %s })();
  return JSON.stringify(found instanceof Node ? true : found ?? null);
})()"""


class Page(QWebEnginePage):
    """Remembers what the console says: errors of scripts, of requests, and of the policy."""

    def __init__(self, profile: QWebEngineProfile, parent: QObject) -> None:
        super().__init__(profile, parent)
        self.told: list[str] = []

    def javaScriptConsoleMessage(self, level: Any, message: str, line: int, source: str) -> None:
        del level
        self.told.append(f"{source}:{line}: {message}")


class Listener(QWebEngineUrlRequestInterceptor):
    """Remembers what is asked for, and lets it happen."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def interceptRequest(self, info: Any) -> None:
        self.asked.append(info.requestUrl().toString())


class Reader(QThread):
    """Reads standard input beside the browser."""

    line = Signal(str)
    end = Signal()

    def run(self) -> None:
        for text in sys.stdin:
            self.line.emit(text)
        self.end.emit()


def answer(value: Any) -> None:
    print(json.dumps(value), flush=True)


def obey(text: str) -> None:
    word, *values = json.loads(text)
    if word == "run":
        page.runJavaScript(AS_TEXT % values[0], 0, lambda text: answer(json.loads(text or "null")))
    elif word == "press":
        for key in values:
            QTest.keyClick(view.focusProxy(), getattr(Qt.Key, f"Key_{key}"))
        answer(None)
    elif word == "shape":
        view.resize(*values)
        answer(None)
    elif word == "picture":
        answer(view.grab().save(values[0]))
    elif word == "told":
        answer(page.told)
        page.told = []
    elif word == "asked":
        answer(listener.asked)
        listener.asked = []
    elif word == "open":
        view.load(QUrl(values[0]))  # answers as the first page did


application = QApplication(sys.argv[:1])
profile = QWebEngineProfile()  # of nobody: nothing is stored
listener = Listener()
profile.setUrlRequestInterceptor(listener)
view = QWebEngineView()
view.resize(1100, 800)
page = Page(profile, view)
view.setPage(page)
reader = Reader()
reader.line.connect(obey)
reader.end.connect(application.quit)
page.loadFinished.connect(answer)
page.loadFinished.connect(lambda _: reader.start())
view.load(QUrl(sys.argv[1]))
view.show()
application.exec()
reader.wait()
# Qt takes its time to end, and may crash then: nothing is worth waiting for.
os._exit(0)
