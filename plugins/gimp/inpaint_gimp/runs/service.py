"""Find or start the daemon, and run jobs without a dialog."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import closing
from dataclasses import dataclass

from inpaint_client import (
    BlockingClient,
    DaemonInfo,
    DaemonNotFoundError,
    EditJob,
    Endpoint,
    Job,
    Segmentation,
    SegmentJob,
    Starting,
    Worker,
    connection_file,
    ensure_daemon,
    find_daemon,
)

from ..translation import _
from .collector import Collector

Report = Callable[[float, str], None]  # progress, 0..1, and status
_PULSE_S = 0.1  # between reports while there is only waiting


def draw_seed() -> int:
    return secrets.randbits(32)


@dataclass(frozen=True)
class Locator:
    """Finds the daemon, and starts it if necessary. Runs in the client's thread."""

    report: Callable[[str], None]
    is_wanted: Callable[[], bool] = lambda: True

    def __call__(self) -> Endpoint:
        return ensure_daemon(connection_file().load(), self._starting, self.is_wanted)

    def _starting(self, starting: Starting) -> None:
        self.report(_("Starting the daemon… {seconds} s").format(seconds=int(starting.elapsed_s)))


def run_and_wait(make: Callable[[DaemonInfo], Job], collector: Collector, report: Report) -> None:
    """Run a job to its end, without a dialog.

    If GIMP kills this process because the user pressed Cancel, the connection breaks and the daemon
    cancels the job; the image has not been changed yet.

    Args:
        make: returns the job, given the daemon's description of itself.
        collector: receives the events.
        report: shows the progress.

    Raises:
        InpaintError: the job failed.
    """
    _announce(report)
    with BlockingClient(Locator(lambda text: None)) as client:
        info = client.info()
        report(0.0, _("Reading the image…"))
        job = make(info)
        report(0.0, collector.status)
        events = client.edit(job) if isinstance(job, EditJob) else client.fill(job)
        for event in events:
            collector.receive(event)
            report(collector.fraction, collector.status)


def segment_and_wait(make: Callable[[DaemonInfo], SegmentJob], report: Report) -> Segmentation:
    """Find the parts of the faces in an image. Arguments and errors as for `run_and_wait`."""
    _announce(report)
    with closing(Worker(Locator(lambda text: None))) as worker:
        info = worker.call(lambda client: client.info()).result()
        report(0.0, _("Reading the image…"))
        job = make(info)
        found = worker.call(lambda client: client.segment(job))
        while wait([found], _PULSE_S).not_done:
            report(0.0, _("Analyzing the image…"))
        return found.result()


def _announce(report: Report) -> None:
    """Say whether the daemon is found or has to be started, which takes longer."""
    report(0.0, _("Looking for the daemon…"))
    try:
        find_daemon(connection_file().load())
    except DaemonNotFoundError:
        report(0.0, _("Starting the daemon…"))
