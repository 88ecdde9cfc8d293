"""Runs inside GIMP: one scenario module, its result written as JSON for the outer test."""

import importlib
import json
import sys
import traceback
from pathlib import Path


def run(scenario, answer, arguments):
    """Call `scenario.main(**arguments)`; {"ok", "value"} or {"ok", "error"} goes to `answer`."""
    for name in [n for n in sys.modules if n in (scenario, "kit")]:
        del sys.modules[name]  # a live GIMP runs several
    try:
        value = importlib.import_module(scenario).main(**json.loads(arguments))
        content = {"ok": True, "value": value if value is not None else {}}
    except BaseException:
        content = {"ok": False, "error": traceback.format_exc()}
    part = Path(answer + ".part")
    part.write_text(json.dumps(content), "utf-8")
    part.replace(answer)
