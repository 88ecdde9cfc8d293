"""A contact sheet from the menu: what it shows, and that the document stays as it is."""

from __future__ import annotations

import gc

from studio import (
    QtCore,
    QtWidgets,
    app,
    coverage,
    history,
    image,
    inpaint,
    menu_action,
    pixels,
    plugin,
    ready,
    save,
    select,
    set_option,
    tree,
    until,
)


def steps(stage):
    tr = plugin("text").tr
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    document = yield from image(400, 300)
    control.document_changed()
    set_option(docker, candidates=3)
    layer = document.topLevelNodes()[0]
    flat = bytes([200, 120, 40, 255]) * (400 * 300)
    layer.setPixelData(QtCore.QByteArray(flat), 0, 0, 400, 300)
    document.refreshProjection()
    yield from select(document, 150, 100, 100, 80, feather=4)
    yield from inpaint(docker)
    panel.edits.sliders["smile"].spin.setValue(1.0)
    yield from until(lambda: control.state.run.results[0].edits, what="the edited rendering")
    yield from until(lambda: not control.is_busy, what="the end")
    panel.results.grid.chosen.emit(2)
    panel.results.grid.starred.emit(1)
    save(document, stage.out / "portrait.kra")
    yield 300
    before = (pixels(document), coverage(document), history(), tree(document))
    assert not document.modified()
    count = len(app.documents())

    # -- from the menu, as PNG -----------------------------------------------------------------
    menu_action("Tools", "Scripts", tr("Inpaint: save contact sheet…")).trigger()
    dialog = yield from file_dialog()
    proposed = dialog.selectedFiles()[0]
    assert proposed == str(stage.out / "portrait contact sheet.png"), proposed
    del dialog
    gc.collect()  # garbage may be collected at any time, also while the dialog is open
    dialog = yield from file_dialog()
    dialog.accept()
    yield from until(lambda: control.state.notice is not None, 20, "the notice")
    said = control.state.notice.text
    assert said == "The contact sheet was saved as “portrait contact sheet.png”.", said
    yield 300
    assert (pixels(document), coverage(document), history(), tree(document)) == before
    assert not document.modified()
    assert len(app.documents()) == count
    assert app.activeDocument() == document

    # -- a folder that cannot be written to ------------------------------------------------------
    control.dismiss()
    app_path = plugin("app.contact_sheet").Path
    chosen = app_path("/nowhere/sheet.png")
    control._sheet = plugin("app.contact_sheet").save_sheet(
        control._session, control._session.results.shown, chosen, control._say
    )
    yield from until(lambda: control.state.notice is not None, 20, "the notice")
    assert control.state.notice.is_problem
    assert control.state.notice.text.startswith("“/nowhere/sheet.png” cannot be written (")
    (stage.out / "notice.txt").write_text(control.state.notice.text, encoding="utf-8")


def file_dialog():
    def shown():
        found = QtWidgets.QApplication.topLevelWidgets()
        return [each for each in found if isinstance(each, QtWidgets.QFileDialog)]

    yield from until(shown, 5, "the dialog")
    yield 300
    return shown()[-1]
