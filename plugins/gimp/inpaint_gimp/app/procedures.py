"""Declare the procedures to GIMP: names, menus, documentation, arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gi.repository import Gimp, GObject
from inpaint_client import Part

from ..runs import arguments
from ..runs.arguments import Argument, Kind
from ..translation import _

FILL = "plug-in-inpaint-stylegan"
AGAIN = "plug-in-inpaint-stylegan-again"
EDIT = "plug-in-inpaint-stylegan-edit"
EXAMPLE = "plug-in-inpaint-stylegan-example"
SELECT = "plug-in-inpaint-stylegan-select"
# One for each part, because a procedure has one entry in the menus.
SELECT_PART = {f"{SELECT}-{part.label}": part for part in Part}
MENU = "<Image>/Filters/Enhance"
AUTHORS = "The Inpaint (StyleGAN) authors"

Run = Callable[..., Any]


def create(plug_in: Gimp.PlugIn, name: str, run: Run) -> Gimp.Procedure:
    """Create a procedure for images. All accept every image and report if they cannot handle it."""
    procedure = Gimp.ImageProcedure.new(plug_in, name, Gimp.PDBProcType.PLUGIN, run, None)
    # Never grayed out: an error message explains what is wrong instead.
    procedure.set_image_types("*")
    procedure.set_sensitivity_mask(
        Gimp.ProcedureSensitivityMask.DRAWABLE
        | Gimp.ProcedureSensitivityMask.DRAWABLES
        | Gimp.ProcedureSensitivityMask.NO_DRAWABLES
    )
    _describe(procedure, name)
    if name != SELECT:  # which is for scripts
        procedure.add_menu_path(_menu(name))
    _declare(procedure, _arguments(name))
    return procedure


def create_without_image(plug_in: Gimp.PlugIn, name: str, run: Run) -> Gimp.Procedure:
    """Create a procedure that needs no image, so that its menu entry always works."""
    procedure = Gimp.Procedure.new(plug_in, name, Gimp.PDBProcType.PLUGIN, run, None)
    procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.ALWAYS)
    _describe(procedure, name)
    procedure.add_menu_path(_menu(name))
    # GIMP runs no procedure from its menus that does not take this.
    procedure.add_enum_argument(
        "run-mode",
        _("Run mode"),
        _("The run mode"),
        Gimp.RunMode,
        Gimp.RunMode.INTERACTIVE,
        GObject.ParamFlags.READWRITE,
    )
    return procedure


def _describe(procedure: Gimp.Procedure, name: str) -> None:
    label, blurb, help_text = _texts(name)
    procedure.set_menu_label(label)
    procedure.set_documentation(blurb, help_text, name)
    procedure.set_attribution(AUTHORS, AUTHORS, "2026")


def _menu(name: str) -> str:
    return f"{MENU}/{_('Select part of a face')}" if name in SELECT_PART else MENU


def _texts(name: str) -> tuple[str, str, str]:
    """Return the menu label, the short description and the help text."""
    help_select = _(
        "Replaces the selection by a soft one of a part of the faces, which the daemon finds in "
        "the visible image. The layers do not change."
    )
    if name in SELECT_PART:
        nick = SELECT_PART[name].label
        part = next(each for each in arguments.parts() if each.nick == nick)
        whose = _("If the selection touches some of several faces, only their parts are selected.")
        return part.label, part.help, f"{help_select} {whose}"
    return {
        FILL: (
            _("_Inpaint (StyleGAN)…"),
            _("Fill the selection with varied, editable content"),
            _(
                "Sends the part of the image around the selection to the daemon and inserts "
                "the candidates as layers above the selected layer. Nothing outside the "
                "selection changes. Without a selection, the transparent part of the layer is "
                "filled."
            ),
        ),
        AGAIN: (
            _("Inpaint _again with a new seed"),
            _("Fill again with the last settings and a new seed"),
            _("Runs Inpaint (StyleGAN) with its last settings and a new seed, without a dialog."),
        ),
        EDIT: (
            _("_Edit fill (StyleGAN)…"),
            _("Reopen a fill and adjust it"),
            _(
                "Renders the fill of the selected layer again from the recipe stored in the "
                "layer, with other edits or mixed with another layer. This also works in "
                "images that were saved and reopened."
            ),
        ),
        EXAMPLE: (
            _("Inpaint: _open the example portrait"),
            _("Open a portrait to try Inpaint (StyleGAN) on"),
            _(
                "Opens the portrait of a person who does not exist as a new image, with what to "
                "replace already selected. No file and no other image changes."
            ),
        ),
        SELECT: (
            _("Select part of a face"),
            _("Select the hair, the eyes or another part of faces"),
            help_select,
        ),
    }[name]


def _arguments(name: str) -> Sequence[Argument]:
    declared = {
        FILL: arguments.fill_arguments,
        EDIT: arguments.edit_arguments,
        SELECT: arguments.select_arguments,
    }
    return declared[name]() if name in declared else ()


def _declare(procedure: Gimp.Procedure, declared: Sequence[Argument]) -> None:
    for each in declared:
        head = (each.name, each.label, each.help)
        tail = (each.default, GObject.ParamFlags.READWRITE)
        if each.kind is Kind.TEXT:
            procedure.add_string_argument(*head, *tail)
        elif each.kind is Kind.FLAG:
            procedure.add_boolean_argument(*head, *tail)
        elif each.kind is Kind.REAL:
            procedure.add_double_argument(*head, each.minimum, each.maximum, *tail)
        elif each.kind is Kind.WHOLE:
            add = procedure.add_int_argument
            if each.maximum >= 2**31:
                add = procedure.add_uint_argument
            add(*head, int(each.minimum), int(each.maximum), *tail)
        else:
            choice = Gimp.Choice.new()
            for number, option in enumerate(each.choices):
                choice.add(option.nick, number, option.label, option.help)
            procedure.add_choice_argument(*head, choice, *tail)
