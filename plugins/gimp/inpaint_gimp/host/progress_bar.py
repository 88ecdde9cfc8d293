"""GIMP's progress bar in the image window. Its Cancel button kills the plug-in's process."""

from __future__ import annotations

from types import TracebackType

from gi.repository import Gimp

from ..translation import _


class ProgressBar:
    def __enter__(self) -> ProgressBar:
        Gimp.progress_init(_("Inpaint (StyleGAN)"))
        return self

    def report(self, fraction: float, text: str) -> None:
        """Show the progress, 0..1, and a status text."""
        Gimp.progress_set_text(text)
        if fraction > 0:
            Gimp.progress_update(fraction)
        else:
            Gimp.progress_pulse()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        Gimp.progress_end()
