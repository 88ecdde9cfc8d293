"""Open the example as the menu does, without any other image; what it is like."""

from pathlib import Path

import kit
from gi.repository import Gimp

EXAMPLE = "plug-in-inpaint-stylegan-example"


def main(out):
    before = Gimp.get_images()
    procedure = Gimp.get_pdb().lookup_procedure(EXAMPLE)
    status = procedure.run(procedure.create_config()).index(0).value_nick
    (image,) = (each for each in Gimp.get_images() if each not in before)
    (layer,) = image.get_layers()
    Path(f"{out}/portrait.raw").write_bytes(kit.get(layer, "R'G'B' u8"))
    Path(f"{out}/mask.raw").write_bytes(kit.get(image.get_selection(), "Y u8"))
    return {
        "status": status,
        "size": [image.get_width(), image.get_height()],
        "kind": [image.get_base_type().value_nick, image.get_precision().value_nick],
        "profile": image.get_color_profile() is not None,
        "file": [image.get_file(), image.get_imported_file(), image.get_exported_file()],
        "name": image.get_name(),
        "layer": layer.get_name(),
        "selected": [each.get_name() for each in image.get_selected_layers()],
        "channels": len(image.get_channels()),
        "is_dirty": bool(image.is_dirty()),
    }
