"""Fill in every precision and both modes; leave files for the outer test to compare."""

from pathlib import Path

import kit
from gi.repository import Gimp

SPACES = {
    "linear": Gimp.LayerColorSpace.RGB_LINEAR,
    "non-linear": Gimp.LayerColorSpace.RGB_NON_LINEAR,
    "perceptual": Gimp.LayerColorSpace.RGB_PERCEPTUAL,
}


def main(out, skip):
    values = {}
    for precision in Gimp.Precision.__enum_values__.values():
        for base, mode in ((kit.RGB, "rgb"), (kit.GRAY, "gray")):
            key = f"{mode}-{precision.value_nick}"
            if key not in skip:
                values[key] = one(base, precision, f"{out}/{key}")
    return values


def one(base, precision, path):
    image = kit.new_image(150, 110, base, precision)
    layer = image.get_layers()[0]
    kit.fill_with_noise(layer)
    kit.select_soft(image, 40, 30, 60, 50)
    kit.save(image, f"{path}-before.xcf")
    mask = kit.get(image.get_selection(), "Y double")
    encoding, before = kit.composite(image)
    # What GIMP's own compositing does to pixels as soon as there is a second layer, even one that
    # is empty: with 32-bit integers and doubles it computes in floats.
    empty = kit.add_layer(image, "empty", image.get_width(), image.get_height(), alpha=True)
    empty.fill(Gimp.FillType.TRANSPARENT)
    empty.set_composite_space(SPACES[precision.value_nick.partition("-")[2]])
    _, control = kit.composite(image)
    image.remove_layer(empty)
    kit.fill(image, [layer], candidates=2, new_seed=False, seed=7)
    kit.save(image, f"{path}-after.xcf")
    _, after = kit.composite(image)
    for name, data in (("mask", mask), ("before", before), ("control", control), ("after", after)):
        Path(f"{path}-{name}.raw").write_bytes(data)
    image.delete()
    return encoding
