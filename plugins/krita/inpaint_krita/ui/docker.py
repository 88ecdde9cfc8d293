"""Krita's docker around the panel."""

from __future__ import annotations

from krita import DockWidget, Krita

from ..app.controller import Controller
from ..app.link import Link
from ..host.application import KritaHost
from ..runs.wishes import wishes_file
from ..text import tr
from .panel import Panel

DOCKER_ID = "inpaint_stylegan_docker"


class InpaintDocker(DockWidget):  # type: ignore[misc]
    """Krita makes one for each window."""

    link: Link  # set by the extension before the first docker is made
    instances: list[InpaintDocker] = []  # noqa: RUF012 (all dockers, so that actions find theirs)

    def __init__(self) -> None:
        super().__init__()
        from inpaint_client.settings import connection_file

        self.setWindowTitle(tr("Inpaint (StyleGAN)"))
        self.controller = Controller(
            KritaHost(Krita.instance()), self.link, wishes_file(), connection_file(), self
        )
        self.panel = Panel(self.controller)
        self.controller.state_changed.connect(self.panel.draw)
        self.controller.thumbnail_changed.connect(self.panel.redraw_thumbnail)
        self.controller.settings_wanted.connect(self.panel.open_settings)
        self.setWidget(self.panel)
        self.panel.draw(self.controller.state)
        self.visibilityChanged.connect(self._shown)
        InpaintDocker.instances.append(self)
        self.destroyed.connect(lambda: _forget(self))

    def canvasChanged(self, canvas: object) -> None:
        """Another view became active, or the last one was closed."""
        self.controller.document_changed()

    def _shown(self, is_visible: bool) -> None:
        if is_visible:
            self.controller.open()


def _forget(docker: InpaintDocker) -> None:
    if docker in InpaintDocker.instances:
        InpaintDocker.instances.remove(docker)
