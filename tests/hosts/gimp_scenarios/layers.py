"""The layers of the image that was opened last, and whether something was changed in it."""

import kit
from gi.repository import Gimp


def main(out):
    image = Gimp.get_images()[0]
    return {"tree": kit.tree(image.get_layers()), "is_dirty": bool(image.is_dirty())}
