"""Runs one test scenario inside a real Krita and quits. Never installed by anything but tests.

A scenario is a module with `steps(stage)`, a generator: each `yield milliseconds` goes back to
Krita's event loop. What it returns is written to `result.json`, which the test outside reads:
Krita's own exit status says nothing.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
import traceback
from pathlib import Path

from krita import Extension, Krita

try:
    from PyQt5 import QtCore
except ImportError:
    from PyQt6 import QtCore

OUT = Path(os.environ["INPAINT_TEST_OUT"])
STARTED = time.monotonic()
SETTLING_MS = 1000  # from the end of a scenario until Krita quits


class Stage:
    """What a scenario works with."""

    def __init__(self) -> None:
        self.out = OUT
        self.app = Krita.instance()
        self.failures = None  # a list: the scenario expects some, and finds them there
        self.arguments = json.loads(os.environ.get("INPAINT_TEST_ARGUMENTS", "{}"))

    def log(self, *words: object) -> None:
        line = f"[{time.monotonic() - STARTED:7.3f}] " + " ".join(str(word) for word in words)
        with (OUT / "driver.log").open("a", encoding="utf-8") as log:
            log.write(line + "\n")


class Listening(logging.Handler):
    """Hands on what is logged."""

    def __init__(self, tell) -> None:
        super().__init__()
        self.tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(record.getMessage())


class Driver(Extension):
    def setup(self) -> None:
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        notifier.windowCreated.connect(lambda: QtCore.QTimer.singleShot(300, self.start))

    def createActions(self, window: object) -> None:  # noqa: N802 (Krita's name)
        pass

    def start(self) -> None:
        self.stage = Stage()
        self.result: object = None
        self.is_over = False
        # An exception in a slot would open a modal dialog of Krita, which would block forever.
        sys.excepthook = self.fail
        # The plug-in lets none out, but logs it: a test must not pass over that.
        self.listening = Listening(self.hear)
        logging.getLogger("inpaint_krita.host.guard").addHandler(self.listening)
        try:
            sys.path.insert(0, os.environ["INPAINT_TEST_SCENARIOS"])
            scenario = importlib.import_module(os.environ["INPAINT_TEST_SCENARIO"])
            self.steps = scenario.steps(self.stage)
        except BaseException:
            self.end(traceback.format_exc())
            return
        self.step()

    def step(self) -> None:
        if self.is_over:
            return
        try:
            pause = next(self.steps)
        except StopIteration as stop:
            self.result = stop.value
            self.end("")
        except BaseException:
            self.end(traceback.format_exc())
        else:
            QtCore.QTimer.singleShot(int(pause or 0), self.step)

    def hear(self, words: str) -> None:
        if self.stage.failures is None:
            self.end(words)
        else:
            self.stage.failures.append(words)

    def fail(self, kind: type, error: BaseException, trace: object) -> None:
        self.end("".join(traceback.format_exception(kind, error, trace)))

    def end(self, error: str) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.stage.log("end", error or "ok")
        answer = {"ok": not error, "error": error, "value": self.result}
        (OUT / "result.json.part").write_text(json.dumps(answer), encoding="utf-8")
        (OUT / "result.json.part").rename(OUT / "result.json")
        # Document.close() followed by quitting crashes Krita: let it close them itself, unasked.
        # So does quitting while it still draws them, which takes a while on a busy machine.
        for document in Krita.instance().documents():
            document.waitForDone()
            document.setModified(False)
        QtCore.QTimer.singleShot(SETTLING_MS, Krita.instance().action("file_quit").trigger)


Krita.instance().addExtension(Driver(Krita.instance()))
