"""The image that was opened last: its size, its layers, and how it is exported."""

import kit
from gi.repository import Gimp, Gio


def main(out):
    images = Gimp.get_images()
    image = images[0]
    path = f"{out}/sheet.png"
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(path), None)
    return {
        "images": len(images),
        "size": [image.get_width(), image.get_height()],
        "tree": kit.tree(image.get_layers()),
        "texts": [
            layer.get_text() for layer in image.get_layers() if isinstance(layer, Gimp.TextLayer)
        ],
        "others": [[bool(other.is_dirty()), kit.tree(other.get_layers())] for other in images[1:]],
    }
