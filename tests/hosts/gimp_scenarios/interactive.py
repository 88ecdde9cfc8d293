"""Open an image in the live window and call a procedure as the menu does, with its dialog.

Leaves the image open; `layers` inspects it afterward.
"""

import kit
from gi.repository import Gimp


def main(out, image, selection, procedure=kit.FILL, mode="INTERACTIVE", soft=8, **values):
    image = kit.load(image)
    Gimp.Display.new(image)
    if selection:
        image.select_ellipse(Gimp.ChannelOps.REPLACE, *selection)
        Gimp.Selection.feather(image, soft)
    Gimp.displays_flush()
    image.clean_all()
    status, error = kit.call(
        procedure, image, image.get_layers()[:1], mode=getattr(Gimp.RunMode, mode), **values
    )
    Gimp.displays_flush()
    return {"status": status, "error": error, "tree": kit.tree(image.get_layers())}
