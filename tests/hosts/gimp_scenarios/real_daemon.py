"""Fill, save, reopen and edit, in some precisions, with any daemon."""

import kit
from gi.repository import Gimp

PRECISIONS = {
    "rgb-u8": (kit.RGB, Gimp.Precision.U8_NON_LINEAR),
    "rgb-u16": (kit.RGB, Gimp.Precision.U16_NON_LINEAR),
    "rgb-float": (kit.RGB, Gimp.Precision.FLOAT_LINEAR),
    "gray-u8": (kit.GRAY, Gimp.Precision.U8_NON_LINEAR),
}


def main(out):
    return {key: one(f"{out}/{key}", *value) for key, value in PRECISIONS.items()}


def one(path, base, precision):
    image = kit.new_image(260, 200, base, precision)
    layer = image.get_layers()[0]
    kit.fill_with_noise(layer)
    kit.select_soft(image, 90, 60, 80, 70)
    kit.save(image, f"{path}-before.xcf")
    kit.fill(image, [layer], candidates=2, new_seed=False, seed=3)
    kit.save(image, f"{path}-after.xcf")
    image.delete()
    image = kit.load(f"{path}-after.xcf")
    first, _, smooth = image.get_layers()[0].get_children()
    status, error = kit.call(kit.EDIT, image, [first])
    smooth_again = kit.call(kit.EDIT, image, [smooth])
    kit.save(image, f"{path}-edited.xcf")
    tree = kit.tree(image.get_layers())
    refused = kit.call(kit.EDIT, image, [smooth], edits="brighter=1")
    image.delete()
    return [status, error, tree, smooth_again, refused]
