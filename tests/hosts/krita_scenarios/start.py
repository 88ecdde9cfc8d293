"""No daemon: the plug-in starts the local one and shows that, or shows why it cannot."""

from __future__ import annotations

from studio import app, docker, image, menu_action, select, set_option, tree, until


def steps(stage):
    found = docker()
    found.setVisible(True)
    control, panel = found.controller, found.panel
    yield from until(lambda: control.state.connection.phase.name == "MISSING", what="no daemon")
    words = [panel.status.words.text()]
    assert panel.status.button.isVisible()
    assert panel.status.button.text() == "Start"
    app.activeWindow().qwindow().grab().save(str(stage.out / "missing.png"))
    document = yield from image(320, 240)
    control.document_changed()
    set_option(found, candidates=2)
    yield from select(document, 100, 80, 90, 80)

    # -- it cannot be started ------------------------------------------------------------------
    settings = control.connection_settings()
    broken = type(settings)(executable="/nowhere/inpaint-server")
    control.use_connection(broken)
    control.run()
    yield from until(lambda: not control.is_busy, what="the refusal")
    yield 200
    notice = control.state.notice
    assert "/nowhere/inpaint-server" in notice.text, notice
    assert notice.action_label == "Choose program…", notice
    assert len(tree(document)) == 1

    # -- it can ---------------------------------------------------------------------------------
    control.use_connection(settings)
    yield from until(lambda: control.state.connection.phase.name == "MISSING", what="no daemon")
    before = len(control.state.runs)
    menu_action("Tools", "Scripts", "Inpaint (StyleGAN)").trigger()
    seen = set()

    def over():
        seen.add(control.state.connection.phase.name)
        return len(control.state.runs) > before and not control.state.progress.is_running

    yield from until(over, 90, what="the daemon and the run")
    assert "STARTING" in seen, seen
    yield from until(lambda: control.state.connection.phase.name == "READY", what="ready")
    words.append(panel.status.words.text())
    assert len(control.state.run.results) == 2
    return words
