"""Once more with a new seed, after the dialog was used before: at all, or in this image."""

import kit
from gi.repository import Gimp


def main(out):
    return {"elsewhere": twice(kit.new_image(80, 60)), "in_this_image": twice(used_before())}


def used_before():
    """GIMP leaves the last values of a dialog in the image, too."""
    image = kit.new_image(80, 60)
    values = b"(candidates 3)\n(new-seed no)\n(seed 9)\n"
    name = f"GimpProcedureConfigRun-{kit.FILL}-last"
    image.attach_parasite(Gimp.Parasite.new(name, 1, list(values)))
    return image


def twice(image):
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 10, 30, 20)
    again = kit.call(kit.AGAIN, image, image.get_layers())
    repeated = kit.call(kit.FILL, image, image.get_layers()[-1:], mode=Gimp.RunMode.WITH_LAST_VALS)
    tree = kit.tree(image.get_layers())
    image.delete()
    return [*again, *repeated, tree]
