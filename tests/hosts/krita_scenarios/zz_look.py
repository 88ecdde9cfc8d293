from pathlib import Path

from studio import *


def steps(stage):
    window = app.activeWindow().qwindow()
    window.move(0, 0)
    window.resize(1366, 768)
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    document = app.openDocument(str(stage.out / "image.png"))
    yield from show(document)
    for each in app.dockers():
        if each is not docker and each.objectName() not in ("KisLayerBox", "ToolBox"):
            each.setVisible(False)
    control.document_changed()
    set_option(docker, candidates=5, seed=50, sections_closed="settings")
    x, y, w, h = stage.arguments["box"]
    yield from select(document, x, y, w, h, feather=14)
    control.run()
    yield from until(lambda: control.state.progress.is_running)
    yield from until(lambda: not control.is_busy, 120)
    panel.edits.sliders["hair_lightness"].spin.setValue(1.5)
    yield from until(lambda: control.state.run.results[0].edits, 60)
    yield from until(lambda: not control.is_busy, 120)
    panel.edits.sliders["face_width"].spin.setValue(0.8)
    yield from until(lambda: len(control.state.run.results[0].edits) == 2, 60)
    yield from until(lambda: not control.is_busy, 120)
    panel.results.grid.starred.emit(1)
    panel.results.grid.chosen.emit(1)
    yield 500
    write = plugin("app.contact_sheet").save_sheet
    keep = [
        write(
            control._session.document,
            control._session.listed,
            Path(str(stage.out / "sheet.png")),
            control._say,
        )
    ]
    yield from until(lambda: control.state.notice is not None, 30)
    yield 300
    window.grab().save(str(stage.out / "docker-sheet.png"))
    menu = panel.results.grid
    control.dismiss()
    second = yield from image(300, 300)
    third = app.openDocument(str(stage.out / "image.png"))
    yield from show(third)
    yield from select(third, x, y, w, h // 2, feather=14)
    control.document_changed()
    yield 300
    panel.open_batch()
    yield 500
    dialog = panel.findChildren(plugin("ui.batch_dialog").BatchDialog)[-1]
    dialog.grab().save(str(stage.out / "dialog.png"))
    dialog.scope.setCurrentIndex(1)
    yield 200
    dialog.grab().save(str(stage.out / "dialog-layers.png"))
    dialog.scope.setCurrentIndex(0)
    dialog.ok.click()
    yield from until(lambda: control.state.progress.done >= 1, 60)
    yield 300
    window.grab().save(str(stage.out / "docker-batch.png"))
    yield from until(lambda: not control.is_busy, 200)
    yield 500
    window.grab().save(str(stage.out / "docker-done.png"))
    dialogs = control._host.choose_sheet(
        plugin("app.contact_sheet").proposed_file(control._session.document), print
    )
    yield 800
    found = [
        w for w in QtWidgets.QApplication.topLevelWidgets() if isinstance(w, QtWidgets.QFileDialog)
    ]
    found[-1].grab().save(str(stage.out / "file.png"))
    found[-1].reject()
    return True
