"""Krita's docker around the panel."""

from __future__ import annotations

from krita import DockWidget, Krita

from ..app.controller import Controller
from ..app.link import Link
from ..host.application import KritaHost
from ..host.guard import connect, guarded
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
        connect(self.controller.state_changed, self.panel.draw)
        connect(self.controller.settings_wanted, self.panel.open_settings)
        self.setWidget(self.panel)
        self.panel.draw(self.controller.state)
        connect(self.visibilityChanged, self._shown)
        InpaintDocker.instances.append(self)
        connect(self.destroyed, lambda: _forget(self))

    @guarded
    def canvasChanged(self, canvas: object) -> None:
        """Another view became active, or the last one was closed."""
        self.controller.document_changed()

    def _shown(self, is_visible: bool) -> None:
        if is_visible:
            self.controller.open()


def _forget(docker: InpaintDocker) -> None:
    if docker in InpaintDocker.instances:
        InpaintDocker.instances.remove(docker)
