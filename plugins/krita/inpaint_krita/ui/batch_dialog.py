"""Dialog for filling several images or layers."""

from __future__ import annotations

from ..app.batch import Offer, Order
from ..host.guard import connect
from ..host.qt import QtWidgets
from ..runs.fill_settings import MAX_CANDIDATES
from ..text import tr
from .parts import column, named
from .quiet_wheel import QuietWheel
from .select_button import parts_of_faces


class BatchDialog(QtWidgets.QDialog):
    """Emits `accepted` when `order` is to be carried out."""

    def __init__(self, offer: Offer, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._offer = offer
        self.setWindowTitle(tr("Inpaint several"))
        self.setMinimumWidth(380)
        self.scope = named(
            QtWidgets.QComboBox(), tr("Fill"), tr("Images or layers, one after the other")
        )
        self.scope.addItem(tr("All open images ({count})").format(count=offer.images), False)
        label = tr("Paint layers of this image ({count})").format(count=offer.layers)
        self.scope.addItem(label, True)
        self.what = named(
            QtWidgets.QComboBox(),
            tr("Part"),
            tr("What is filled in each: the part is found in the faces of each image"),
        )
        self.what.addItem("", None)
        self.what.insertSeparator(1)
        for part, name, _tip in parts_of_faces():
            self.what.addItem(name, part)
        self.candidates = named(
            QtWidgets.QSpinBox(), tr("Candidates"), tr("Number of candidates to create")
        )
        self.candidates.setRange(0, MAX_CANDIDATES)
        special = tr("As in the docker ({count})").format(count=offer.candidates)
        self.candidates.setSpecialValueText(special)
        self.candidates.setEnabled(not offer.single)
        self.note = QtWidgets.QLabel()
        self.note.setWordWrap(True)
        buttons = QtWidgets.QDialogButtonBox.StandardButton
        self.buttons = QtWidgets.QDialogButtonBox(buttons.Ok | buttons.Cancel)
        ok = self.buttons.button(buttons.Ok)
        assert ok is not None
        self.ok = ok
        self.ok.setText(tr("Inpaint"))
        connect(self.buttons.accepted, self.accept)
        connect(self.buttons.rejected, self.reject)
        form = QtWidgets.QFormLayout()
        form.addRow(tr("Fill"), self.scope)
        form.addRow(tr("Part"), self.what)
        form.addRow(tr("Candidates"), self.candidates)
        layout = column(self, margin=12)
        layout.addLayout(form)
        layout.addWidget(self.note)
        layout.addWidget(self.buttons)
        connect(self.scope.currentIndexChanged, self._check)
        connect(self.what.currentIndexChanged, self._check)
        self._check()
        QuietWheel(self).watch(self)

    @property
    def order(self) -> Order:
        return Order(
            bool(self.scope.currentData()), self.what.currentData(), self.candidates.value()
        )

    def _check(self) -> None:
        """Say what will be skipped; without anything to fill, the dialog cannot be accepted."""
        offer, order = self._offer, self.order
        own = (
            tr("The selection, in each layer") if order.of_layers else tr("Each image's selection")
        )
        self.what.setItemText(0, own)
        if order.of_layers:
            note = tr("Hidden, locked and empty layers are skipped, and so are earlier fills.")
            can = offer.layers > 0
            if order.part is None and not offer.is_selected:
                note, can = tr("Nothing is selected in this image."), False
        else:
            missing = offer.images - offer.images_selected if order.part is None else 0
            note = _skipped(missing)
            can = missing < offer.images
        self.note.setText(note)
        self.ok.setEnabled(can)


def _skipped(count: int) -> str:
    if not count:
        return tr("Each image keeps its selection.")
    one = tr("1 image has no selection and is skipped.")
    several = tr("{count} images have no selection and are skipped.")
    return (one if count == 1 else several).format(count=count)
