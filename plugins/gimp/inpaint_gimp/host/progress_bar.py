"""GIMP's progress bar, in the image's window. Its Cancel button ends the plug-in's process."""

from __future__ import annotations

from types import TracebackType

from gi.repository import Gimp

from ..translation import _


class ProgressBar:
    def __enter__(self) -> ProgressBar:
        Gimp.progress_init(_("Inpaint (StyleGAN)"))
        return self

    def report(self, fraction: float, text: str) -> None:
        """How far (0..1) and what is going on."""
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
