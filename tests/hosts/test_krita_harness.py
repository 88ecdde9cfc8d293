"""The harness runs a scenario again only if Krita crashed by itself; needs no Krita."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import krita_host
import pytest
from krita_host import KritaCrashedError, Run

OURS = 'Fatal Python error: Segmentation fault\n\nThread 0x1:\n  File "x.py", line 1 in f\n'
THEIRS = "Fatal Python error: Segmentation fault\n\nThread 0x1:\n  <no Python frame>\n"


def judged(folder: Path, log: str, code: int | None, result: object = None) -> Run:
    (folder / "out").mkdir()
    (folder / "krita.log").write_text(log)
    if result is not None:
        (folder / "out/result.json").write_text(json.dumps(result))
    return krita_host._judge(folder, "scenario", code)


@pytest.mark.parametrize("result", [None, {"ok": True, "error": "", "value": 1}])
def test_a_crash_without_our_code_is_told_apart(tmp_path: Path, result: object) -> None:
    with pytest.raises(KritaCrashedError, match="-11"):
        judged(tmp_path, THEIRS, -signal.SIGSEGV, result)


@pytest.mark.parametrize(
    ("log", "code", "result"),
    [
        (OURS, -signal.SIGSEGV, None),
        (THEIRS, 1, None),
        (THEIRS, None, None),  # killed by us, since it did not end
        (THEIRS, -signal.SIGSEGV, {"ok": False, "error": "an assertion", "value": None}),
        (OURS, -signal.SIGSEGV, {"ok": True, "error": "", "value": 1}),
    ],
)
def test_every_other_failure_is_final(
    tmp_path: Path, log: str, code: int | None, result: object
) -> None:
    with pytest.raises(AssertionError) as caught:
        judged(tmp_path, log, code, result)
    assert not isinstance(caught.value, KritaCrashedError)


@pytest.mark.parametrize(("crashes", "succeeds"), [(0, True), (1, True), (2, False)])
def test_a_scenario_is_run_again_once(
    crashes: int, succeeds: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def run_once(name: str) -> str:
        runs.append(name)
        if len(runs) <= crashes:
            raise KritaCrashedError("crashed")
        return "done"

    monkeypatch.setattr(krita_host, "_run_once", run_once)
    if succeeds:
        assert krita_host.run_scenario("colors") == "done"  # type: ignore[comparison-overlap]
    else:
        with pytest.raises(KritaCrashedError):
            krita_host.run_scenario("colors")
    assert runs == ["colors"] * min(crashes + 1, 2)
