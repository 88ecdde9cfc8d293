"""The progress of a run in words."""

from __future__ import annotations

from inpaint_client.session.run_status import RunStatus, Stage, spoken_time

from ..text import say, tr


def describe(status: RunStatus, now: float) -> str:
    """Return one short line with the elapsed time and, if known, the time left."""
    elapsed = _seconds(now - status.started)
    before = {
        Stage.READING: tr("Reading the image…"),
        Stage.CONNECTING: tr("Waiting for the daemon… {elapsed}"),
        Stage.SENDING: tr("Sending the image… {share}%, {elapsed}"),
        Stage.WAITING: tr("The daemon is busy, retrying… {elapsed}"),
        Stage.QUEUED: tr("{count} ahead in the queue… {elapsed}"),
        Stage.ENCODING: tr("Analyzing the image… {elapsed}"),
    }
    if status.stage in before:
        return before[status.stage].format(
            elapsed=elapsed, share=round(100 * status.sent), count=status.queue_position
        )
    if status.stage is Stage.RENDERING:
        left = status.left_s(now)
        if left is None:
            return tr("{done} of {total} · {elapsed}").format(
                done=status.done, total=status.total, elapsed=elapsed
            )
        return tr("{done} of {total} · {elapsed}, about {left} left").format(
            done=status.done, total=status.total, elapsed=elapsed, left=say(spoken_time(left))
        )
    return ""


def _seconds(value: float) -> str:
    whole = max(0, round(value))
    if whole < 60:
        return tr("{seconds} s").format(seconds=whole)
    return tr("{minutes}:{seconds:02d} min").format(minutes=whole // 60, seconds=whole % 60)
