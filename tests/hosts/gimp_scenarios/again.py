"""Once more with a new seed, after the dialog was used before."""

import kit
from gi.repository import Gimp


def main(out):
    image = kit.new_image(80, 60)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 10, 30, 20)
    again = kit.call(kit.AGAIN, image, image.get_layers())
    repeated = kit.call(kit.FILL, image, image.get_layers()[-1:], mode=Gimp.RunMode.WITH_LAST_VALS)
    result = {"again": again, "repeated": repeated, "tree": kit.tree(image.get_layers())}
    image.delete()
    return result
