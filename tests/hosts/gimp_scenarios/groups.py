"""Two holes whose boxes overlap: a fill, then an edit of it."""

from pathlib import Path

import kit
from gi.repository import Gimp


def main(out):
    image = kit.new_image(480, 400)
    layer = image.get_layers()[0]
    kit.fill_with_noise(layer)
    Gimp.context_set_feather(False)
    for first in (100, 185):
        last = first + 100
        operation = Gimp.ChannelOps.REPLACE if first == 100 else Gimp.ChannelOps.ADD
        image.select_polygon(operation, [last, first, last, last, first, last])
    Path(f"{out}/mask.raw").write_bytes(kit.get(image.get_selection(), "Y u8"))
    kit.fill(image, [layer], candidates=1, new_seed=False, seed=3)
    kit.save(image, f"{out}/filled.xcf")
    filled = image.get_layers()[0].get_children()[0]
    status, error = kit.call(kit.EDIT, image, [filled], edits="brighter=1", replace=True)
    kit.save(image, f"{out}/edited.xcf")
    image.delete()
    return [status, error]
