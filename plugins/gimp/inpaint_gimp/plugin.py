"""Register the plug-in and its procedures with GIMP, and turn errors into return values."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence

import gi

gi.require_version("Gegl", "0.4")
gi.require_version("Gimp", "3.0")
from gi.repository import Gegl, Gimp, GLib  # noqa: E402
from inpaint_client import InpaintError, RequestCancelledError  # noqa: E402

from .actions import run_again, run_edit, run_example, run_fill, run_select  # noqa: E402
from .app import procedures  # noqa: E402
from .runs.calls import Call  # noqa: E402
from .translation import CATALOG, _, say_error  # noqa: E402

log = logging.getLogger("inpaint_gimp")

_RUNS: dict[str, Callable[[Call], None]] = {
    procedures.FILL: run_fill,
    procedures.AGAIN: run_again,
    procedures.EDIT: run_edit,
    **dict.fromkeys((procedures.SELECT, *procedures.SELECT_PART), run_select),
}


class InpaintPlugIn(Gimp.PlugIn):  # type: ignore[misc] # PyGObject has no types
    def do_set_i18n(self, name: str) -> bool:
        return False  # texts are translated by `translation`

    def do_query_procedures(self) -> list[str]:
        return [*_RUNS, procedures.EXAMPLE]

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        if name == procedures.EXAMPLE:
            return procedures.create_without_image(self, name, answer_without_image)
        return procedures.create(self, name, answer)


def answer(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: Sequence[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    data: object,
) -> Gimp.ValueArray:
    """Run a procedure for an image."""
    run = _RUNS[procedure.get_name()]
    call = Call(procedure, run_mode, image, list(drawables), config)
    return _answer(procedure, lambda: run(call))


def answer_without_image(
    procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, data: object
) -> Gimp.ValueArray:
    """Run the procedure that opens the example."""
    return _answer(procedure, run_example)


def _answer(procedure: Gimp.Procedure, run: Callable[[], object]) -> Gimp.ValueArray:
    """Return errors as values: the user sees the message, not a traceback."""
    # libgimp does not: without it GEGL reads reduced images as black and has no operations.
    Gegl.init(None)
    try:
        run()
    except RequestCancelledError:
        return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
    except InpaintError as error:
        return _failure(procedure, say_error(error))
    except Exception as error:
        log.exception("%s failed", procedure.get_name())
        return _failure(
            procedure,
            _("The plug-in Inpaint (StyleGAN) failed: {error}").format(error=repr(error)),
        )
    return procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)


def _failure(procedure: Gimp.Procedure, text: str) -> Gimp.ValueArray:
    error = GLib.Error.new_literal(Gimp.PlugIn.error_quark(), text, 0)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, error)


def main(argv: Sequence[str]) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("INPAINT_LOG", "WARNING").upper(),
        format="inpaint-gimp: %(levelname)s %(message)s",
    )
    CATALOG.use_languages(GLib.get_language_names())
    Gimp.main(InpaintPlugIn.__gtype__, list(argv))
