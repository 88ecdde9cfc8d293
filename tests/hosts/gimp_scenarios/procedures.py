"""What GIMP knows of the procedures: as its menus and its procedure browser show them."""

import kit
from gi.repository import Gimp

SELECT = [f"plug-in-inpaint-stylegan-select{end}" for end in ("", "-hair", "-background")]


def main(out):
    names = (kit.FILL, kit.AGAIN, kit.EDIT, kit.EXAMPLE, *SELECT)
    return {name: describe(name) for name in names}


def describe(name):
    procedure = Gimp.get_pdb().lookup_procedure(name)
    return {
        "label": procedure.get_menu_label(),
        "menus": list(procedure.get_menu_paths()),
        "blurb": procedure.get_blurb(),
        "help": procedure.get_help(),
        "arguments": {spec.name: spec.blurb for spec in procedure.get_arguments()},
    }
