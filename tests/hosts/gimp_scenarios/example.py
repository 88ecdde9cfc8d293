"""The image that was opened last, which should be the example: what it is like, and its pixels."""

from pathlib import Path

import kit
from gi.repository import Gimp


def main(out, name):
    images = Gimp.get_images()
    image = images[0]
    layer = image.get_layers()[-1]
    Path(f"{out}/{name}-portrait.raw").write_bytes(kit.get(layer, "R'G'B' u8"))
    Path(f"{out}/{name}-mask.raw").write_bytes(kit.get(image.get_selection(), "Y u8"))
    return {
        "images": len(images),
        "size": [image.get_width(), image.get_height()],
        "format": [image.get_base_type().value_nick, image.get_precision().value_nick],
        "has_profile": image.get_color_profile() is not None,
        "files": [image.get_file(), image.get_imported_file(), image.get_exported_file()],
        "tree": kit.tree(image.get_layers()),
        "selected": [each.get_name() for each in image.get_selected_layers()],
        "channels": len(image.get_channels()),
        "is_dirty": bool(image.is_dirty()),
    }
