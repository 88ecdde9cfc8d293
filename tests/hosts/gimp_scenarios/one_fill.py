"""One fill without a window; what came of it, and whether the image was left alone."""

import kit
from gi.repository import Gimp


def main(out, **values):
    image = kit.new_image(120, 90)
    layer = image.get_layers()[0]
    kit.fill_with_noise(layer)
    kit.select_soft(image, 30, 20, 50, 40)
    before = kit.get(layer, "R'G'B' u8")
    image.clean_all()
    status, error = kit.call(kit.FILL, image, [layer], **values)
    result = {
        "status": status,
        "error": error,
        "tree": kit.tree(image.get_layers()),
        "layer_is_as_before": kit.get(layer, "R'G'B' u8") == before,
        "is_dirty": bool(image.is_dirty()),
        "selection": list(Gimp.Selection.bounds(image))[1:],
    }
    image.delete()
    return result
