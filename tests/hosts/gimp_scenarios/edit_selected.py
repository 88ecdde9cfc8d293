"""Open the fill whose layer has the given name, as the menu does, with its dialog."""

import kit
from gi.repository import Gimp


def main(out, name):
    image = Gimp.get_images()[0]
    layer = next(x for x in image.get_layers()[0].get_children() if x.get_name() == name)
    status, error = kit.call(kit.EDIT, image, [layer], mode=Gimp.RunMode.INTERACTIVE)
    Gimp.displays_flush()
    return {"status": status, "error": error, "tree": kit.tree(image.get_layers())}
