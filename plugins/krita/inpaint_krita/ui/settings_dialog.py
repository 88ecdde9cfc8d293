"""Dialog for the connection to the daemon."""

from __future__ import annotations

from dataclasses import replace

from inpaint_client import Secret
from inpaint_client.endpoint import TlsFiles, parse_endpoint
from inpaint_client.errors import InpaintError
from inpaint_client.settings import ConnectionSettings

from ..host.guard import connect
from ..host.qt import QtCore, QtWidgets
from ..text import say_error, tr
from .parts import column, row
from .quiet_wheel import QuietWheel


class SettingsDialog(QtWidgets.QDialog):
    """Emits `accepted` when `settings` are to be applied; input is checked while typing."""

    def __init__(
        self, settings: ConnectionSettings, parent: QtWidgets.QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._before = settings
        self.setWindowTitle(tr("Inpaint (StyleGAN): connection"))
        self.setMinimumWidth(460)
        self.local = QtWidgets.QRadioButton(tr("Daemon on this computer"))
        self.remote = QtWidgets.QRadioButton(tr("Daemon at another address"))
        (self.remote if settings.address else self.local).setChecked(True)
        self.start = QtWidgets.QCheckBox(tr("Start it when needed"))
        self.start.setChecked(settings.start_daemon)
        self.executable = QtWidgets.QLineEdit(settings.executable)
        self.executable.setPlaceholderText(tr("found automatically"))
        browse = QtWidgets.QPushButton(tr("Browse…"))
        connect(browse.clicked, self._browse)
        self.address = QtWidgets.QLineEdit(settings.address)
        self.address.setPlaceholderText("tls://gpu.example.org:50099")
        self.token = QtWidgets.QLineEdit(settings.token.reveal())
        self.token.setEchoMode(QtWidgets.QLineEdit.EchoMode.PasswordEchoOnEdit)
        self.authority = QtWidgets.QLineEdit(settings.tls_ca)
        self.authority.setPlaceholderText(tr("system certificates"))
        self.problem = QtWidgets.QLabel()
        self.problem.setWordWrap(True)
        buttons = QtWidgets.QDialogButtonBox.StandardButton
        self.buttons = QtWidgets.QDialogButtonBox(buttons.Ok | buttons.Cancel)
        connect(self.buttons.accepted, self.accept)
        connect(self.buttons.rejected, self.reject)

        program = row()
        program.addWidget(self.executable, 1)
        program.addWidget(browse)
        self._here, self._there = QtWidgets.QWidget(), QtWidgets.QWidget()
        here, there = QtWidgets.QFormLayout(self._here), QtWidgets.QFormLayout(self._there)
        here.addRow(self.start)
        here.addRow(tr("Program"), program)
        there.addRow(tr("Address"), self.address)
        there.addRow(tr("Token"), self.token)
        there.addRow(tr("CA certificate (PEM)"), self.authority)
        layout = column(self, margin=12)
        for widget in (
            self.local,
            self._here,
            self.remote,
            self._there,
            self.problem,
            self.buttons,
        ):
            layout.addWidget(widget)
        for signal in (
            self.local.toggled,
            self.address.textChanged,
            self.token.textChanged,
            self.authority.textChanged,
        ):
            connect(signal, self._check)
        self._check()
        QuietWheel(self).watch(self)

    @property
    def settings(self) -> ConnectionSettings:
        remote = self.remote.isChecked()
        return replace(
            self._before,
            address=self.address.text().strip() if remote else "",
            token=Secret(self.token.text() if remote else ""),
            tls_ca=self.authority.text().strip() if remote else "",
            start_daemon=self.start.isChecked(),
            executable=self.executable.text().strip(),
        )

    def _check(self) -> None:
        remote = self.remote.isChecked()
        self._here.setEnabled(not remote)
        self._there.setEnabled(remote)
        problem = ""
        if remote:
            settings = self.settings
            try:
                parse_endpoint(settings.address, settings.token, TlsFiles(settings.tls_ca))
            except InpaintError as error:
                problem = say_error(error)
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        ok = self.buttons.button(QtWidgets.QDialogButtonBox.StandardButton.Ok)
        if ok is not None:
            ok.setEnabled(not problem)
        self.adjustSize()

    def _browse(self) -> None:
        path, _filter = QtWidgets.QFileDialog.getOpenFileName(
            self, "inpaint-server", QtCore.QDir.homePath()
        )
        if path:
            self.executable.setText(path)
