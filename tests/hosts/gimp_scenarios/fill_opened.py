"""Fill the image that was opened last as the menu does, with the dialog; what became of all."""

import kit
from gi.repository import Gimp


def main(out):
    image, *others = Gimp.get_images()
    layers = image.get_selected_layers()
    status, error = kit.call(kit.FILL, image, layers, mode=Gimp.RunMode.INTERACTIVE)
    Gimp.displays_flush()
    return {
        "status": status,
        "error": error,
        "tree": kit.tree(image.get_layers()),
        "others": [
            [bool(each.is_dirty()), kit.tree(each.get_layers()), Gimp.Selection.is_empty(each)]
            for each in others
        ],
    }
