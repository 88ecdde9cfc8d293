"""Krita's application and window, as the controller uses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from inpaint_client.daemon import log_file

from ..text import tr
from .document import KritaDocument
from .example_document import open_example
from .guard import connect
from .plugin_log import plugin_log
from .qt import QtCore, QtGui, QtWidgets
from .scratch import Scratch

LOG_TAIL = 20_000  # characters


class KritaHost:
    """Krita itself; `application` is Krita.instance()."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._sheet_dialog: QtWidgets.QFileDialog | None = None

    def active_document(self) -> KritaDocument | None:
        document = self._application.activeDocument()
        if document is None or document.rootNode() is None:  # while it is being closed
            return None
        return KritaDocument(self._application, document)

    def open_documents(self) -> list[KritaDocument]:
        """Return the documents that have a view, in the order of their views."""
        found: list[KritaDocument] = []
        for window in self._application.windows():
            for view in window.views():
                document = KritaDocument(self._application, view.document())
                if document.is_open and not any(each.is_same(document) for each in found):
                    found.append(document)
        return found

    def open_example(self) -> None:
        open_example(self._application)

    def scratch(self) -> Scratch:
        return Scratch(self._application)

    def language(self) -> str:
        """Return the language of Krita's user interface."""
        chosen = str(self._application.readSetting("", "language", ""))
        return chosen or QtCore.QLocale.system().name()

    def show_log(self) -> None:
        """Show the daemon's log."""
        missing = tr("There is no log yet, because the daemon was not started from Krita.")
        self._show_file(log_file(), missing)

    def show_plugin_log(self) -> None:
        """Show the plug-in's own log."""
        self._show_file(plugin_log(), tr("There is no log, because its folder is not writable."))

    def _show_file(self, path: Path, missing: str) -> None:
        try:
            text = path.read_text("utf-8", errors="replace")[-LOG_TAIL:]
        except OSError:
            text = missing
        self.show_text(str(path), text)

    def choose_program(self) -> str:
        """Ask for the path of `inpaint-server`; return an empty string if none was chosen."""
        window = self._application.activeWindow()
        path, _filter = QtWidgets.QFileDialog.getOpenFileName(
            window.qwindow() if window else None,
            tr("Choose inpaint-server"),
            QtCore.QDir.homePath(),
        )
        return str(path)

    def choose_sheet(self, proposed: Path, chosen: Callable[[Path], None]) -> None:
        """Ask where to save a contact sheet; call `chosen` unless the artist cancels."""
        window = self._application.activeWindow()
        dialog = QtWidgets.QFileDialog(
            window.qwindow() if window else None, tr("Save contact sheet"), str(proposed.parent)
        )
        dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
        filters = {"PNG (*.png)": "png", "JPEG (*.jpg *.jpeg)": "jpg"}
        dialog.setNameFilters(list(filters))
        dialog.setDefaultSuffix("png")  # the dialog also asks before it replaces such a file
        connect(dialog.filterSelected, lambda name: dialog.setDefaultSuffix(filters[name]))
        dialog.selectFile(proposed.name)
        connect(dialog.fileSelected, lambda path: chosen(Path(path)))
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        # Only Python's slots refer to the dialog: without this reference, the garbage
        # collector would disconnect them while it is open, and nothing would be saved.
        self._sheet_dialog = dialog

    def show_text(self, title: str, text: str) -> None:
        window = self._application.activeWindow()
        dialog = QtWidgets.QDialog(window.qwindow() if window else None)
        dialog.setWindowTitle(title)
        dialog.resize(720, 420)
        view = QtWidgets.QPlainTextEdit(text)
        view.setReadOnly(True)
        view.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        view.moveCursor(QtGui.QTextCursor.MoveOperation.End)
        layout = QtWidgets.QVBoxLayout(dialog)
        layout.addWidget(view)
        dialog.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()
