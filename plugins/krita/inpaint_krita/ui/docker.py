"""The Krita docker that contains the panel."""

from __future__ import annotations

from krita import DockWidget, Krita

from ..app.controller import Controller
from ..app.daemon_connection import DaemonConnection
from ..host.application import KritaHost
from ..host.guard import connect, guarded, later
from ..host.initial_place import take_initial_place
from ..runs.fill_settings import fill_settings_file
from ..text import tr
from .panel import Panel

SETTLED_MS = 300  # for Krita to arrange its dockers
DOCKER_ID = "inpaint_stylegan_docker"


class InpaintDocker(DockWidget):  # type: ignore[misc]
    """The docker of one window; Krita creates it."""

    daemon_connection: DaemonConnection  # set by the extension before the first docker is made
    instances: list[InpaintDocker] = []  # noqa: RUF012 (all dockers, for actions to find theirs)

    def __init__(self) -> None:
        super().__init__()
        from inpaint_client.settings import connection_file

        self.setWindowTitle(tr("Inpaint (StyleGAN)"))
        fill_settings = fill_settings_file()
        self._is_new = not fill_settings.path.exists()  # first use: no settings stored yet
        self.controller = Controller(
            KritaHost(Krita.instance()),
            self.daemon_connection,
            fill_settings,
            connection_file(),
            self,
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
        """Follow the active view; Krita calls this when it changes."""
        self.controller.document_changed()
        self._settle_in()

    def _shown(self, is_visible: bool) -> None:
        if is_visible:
            self.controller.open()
            self._settle_in()

    def _settle_in(self) -> None:
        """Place the docker on first use, once Krita shows dockers: 5.2 needs a document first."""
        if self._is_new and self.isVisible() and self.controller.state.has_document:
            self._is_new = False
            later(SETTLED_MS, self._take_place)

    def _take_place(self) -> None:
        take_initial_place(self)
        self.controller.set_option()  # stores the settings, so this happens only once


def _forget(docker: InpaintDocker) -> None:
    if docker in InpaintDocker.instances:
        InpaintDocker.instances.remove(docker)
