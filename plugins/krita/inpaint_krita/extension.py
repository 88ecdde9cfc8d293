"""Register the docker and the actions, and follow Krita's life cycle."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from inpaint_client.segments import Part
from inpaint_client.settings import connection_file
from krita import DockWidgetFactory, DockWidgetFactoryBase, Extension, Krita

from .app.daemon_connection import DaemonConnection
from .host.application import KritaHost
from .host.guard import connect, guarded
from .host.plugin_log import keep_log
from .runs.fill_settings import fill_settings_file
from .text import CATALOG, tr
from .ui.docker import DOCKER_ID, InpaintDocker

log = logging.getLogger(__name__)
MENU = "tools/scripts"


class InpaintExtension(Extension):  # type: ignore[misc]
    @guarded
    def setup(self) -> None:
        """Set up the plug-in; Krita calls this once, before the first window."""
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        connect(notifier.applicationClosing, self._close)

    @guarded
    def createActions(self, window: Any) -> None:
        """Create the actions named in inpaint_krita.action; Krita calls this for every window."""
        for name, text, slot in (
            ("inpaint_stylegan", tr("Inpaint (StyleGAN)"), self._run),
            ("inpaint_stylegan_cancel", tr("Inpaint: cancel"), self._cancel),
            ("inpaint_stylegan_next", tr("Inpaint: next candidate"), self._next),
            ("inpaint_stylegan_previous", tr("Inpaint: previous candidate"), self._previous),
            ("inpaint_stylegan_more", tr("Inpaint: more candidates"), self._more),
            ("inpaint_stylegan_keep", tr("Inpaint: keep candidates"), self._keep),
            ("inpaint_stylegan_several", tr("Inpaint several…"), self._run_several),
            ("inpaint_stylegan_sheet", tr("Inpaint: save contact sheet…"), self._save_sheet),
            ("inpaint_stylegan_tour", tr("Inpaint: show me around"), self._start_tour),
            ("inpaint_stylegan_example", tr("Inpaint: open the example portrait"), self._example),
            *(
                (name, text, partial(self._select, part))
                for name, text, part in (
                    ("inpaint_stylegan_select_hair", tr("Inpaint: select hair"), Part.HAIR),
                    ("inpaint_stylegan_select_skin", tr("Inpaint: select skin"), Part.SKIN),
                    ("inpaint_stylegan_select_eyes", tr("Inpaint: select eyes"), Part.EYES),
                    ("inpaint_stylegan_select_brows", tr("Inpaint: select brows"), Part.BROWS),
                    ("inpaint_stylegan_select_mouth", tr("Inpaint: select mouth"), Part.MOUTH),
                    (
                        "inpaint_stylegan_select_glasses",
                        tr("Inpaint: select glasses"),
                        Part.GLASSES,
                    ),
                    (
                        "inpaint_stylegan_select_background",
                        tr("Inpaint: select background"),
                        Part.BACKGROUND,
                    ),
                )
            ),
        ):
            action = window.createAction(name, text, MENU)
            connect(action.triggered, lambda _=False, slot=slot: slot())

    def _docker(self) -> InpaintDocker | None:
        """Return the docker in the active window."""
        window = Krita.instance().activeWindow()
        for docker in window.dockers() if window and hasattr(window, "dockers") else ():
            if docker.objectName() == DOCKER_ID:
                for ours in InpaintDocker.instances:
                    if ours == docker:
                        return ours
        return InpaintDocker.instances[-1] if InpaintDocker.instances else None

    def _docker_in_sight(self) -> InpaintDocker | None:
        """Return the docker in the active window, after showing it."""
        docker = self._docker()
        if docker is not None:
            docker.setVisible(True)
            docker.raise_()
        return docker

    def _run(self) -> None:
        if docker := self._docker_in_sight():
            docker.controller.run()

    def _cancel(self) -> None:
        if docker := self._docker():
            docker.controller.cancel()

    def _next(self) -> None:
        if docker := self._docker():
            docker.controller.step(1)

    def _previous(self) -> None:
        if docker := self._docker():
            docker.controller.step(-1)

    def _more(self) -> None:
        if docker := self._docker():
            docker.controller.add_candidates()

    def _keep(self) -> None:
        if docker := self._docker():
            docker.controller.keep()

    def _run_several(self) -> None:
        if docker := self._docker_in_sight():
            docker.panel.open_batch()

    def _save_sheet(self) -> None:
        if docker := self._docker():
            docker.controller.save_contact_sheet()

    def _start_tour(self) -> None:
        if docker := self._docker_in_sight():
            docker.controller.guide.start()

    def _example(self) -> None:
        if docker := self._docker_in_sight():
            docker.controller.guide.open_example()

    def _select(self, part: Part) -> None:
        if docker := self._docker():
            docker.controller.select(part)

    def _close(self) -> None:
        for docker in InpaintDocker.instances:
            docker.controller.close()
        InpaintDocker.daemon_connection.close()


def register() -> None:
    """Register everything; called once, when Krita loads the plug-in."""
    keep_log()
    application = Krita.instance()
    CATALOG.use_languages(
        [fill_settings_file().load().language or KritaHost(application).language()]
    )
    InpaintDocker.daemon_connection = DaemonConnection(connection_file())
    application.addExtension(InpaintExtension(application))
    position = getattr(DockWidgetFactoryBase, "DockRight", None)
    if position is None:  # PyQt6 scopes enums
        position = DockWidgetFactoryBase.DockPosition.DockRight
    application.addDockWidgetFactory(DockWidgetFactory(DOCKER_ID, position, InpaintDocker))
