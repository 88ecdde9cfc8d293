#!/usr/bin/env python3
"""Stands in for the plug-in's entry file (then `entry.py`) and notes when what happened.

For `python -m benchmarks.travel`. Each line of the file that INPAINT_CLOCK names is one event: how
long the dialog's loop stood still, what the presenter showed, what the daemon answered.
"""

import json
import os
import runpy
import sys
import time
from pathlib import Path

_START = time.time()
_HERE = Path(__file__).resolve().parent
_TICK_MS = 5
_turns = []  # when the loop turned last


def note(what, **more):
    line = json.dumps({"at": time.time(), "what": what, **more})
    with Path(os.environ["INPAINT_CLOCK"]).open("a", encoding="utf-8") as log:
        log.write(line + "\n")


def tick():
    now = time.perf_counter()
    if not _turns:
        note("turn")
    elif now - _turns[0] > 0.03:
        note("gap", ms=1000 * (now - _turns[0]))
    _turns[:] = [now]
    return True


def listen():
    """Note what the dialog does, from the moment that it is imported."""
    import gi

    gi.require_version("Gimp", "3.0")
    gi.require_version("GimpUi", "3.0")
    from gi.repository import GLib
    from inpaint_gimp.app.presenter import Presenter
    from inpaint_gimp.ui.fill_dialog import FillDialog

    def before(owner, name, say):
        function = getattr(owner, name)

        def noting(self, *arguments):
            say(*arguments)
            return function(self, *arguments)

        setattr(owner, name, noting)

    def answered(collector, there, number, message):
        kind = type(message).__name__
        if kind == "Accepted":
            note("accepted")
        elif kind == "Done":
            note(
                "done",
                daemon_first_ms=message.first_candidate_ms,
                daemon_total_ms=message.total_ms,
            )

    before(Presenter, "_show", lambda state: note("state", phase=state.phase.name))
    before(Presenter, "_fill_message", answered)
    before(FillDialog, "_fill", lambda: note("fill"))
    shows = FillDialog.show_renderings

    def show_renderings(self, renderings, chosen):
        shows(self, renderings, chosen)
        if renderings:
            note("shown")

    FillDialog.show_renderings = show_renderings
    note("gap", ms=0.0)
    GLib.timeout_add(_TICK_MS, tick)


if "-run" in sys.argv:
    note("start", began=_START)
    listen()
sys.path.insert(0, str(_HERE))
runpy.run_path(str(_HERE / "entry.py"), run_name="__main__")
