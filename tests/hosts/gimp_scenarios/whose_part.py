"""Of several faces, the selection says whose part is meant; a number does so in scripts."""

import kit
from gi.repository import Gimp

SELECT = "plug-in-inpaint-stylegan-select"


def main(out, boxes):
    image = kit.new_image(1500, 800)
    kit.fill_with_noise(image.get_layers()[0])
    found = {}
    for name, box in boxes.items():
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *box)
        assert kit.call(f"{SELECT}-eyes", image, image.get_layers()) == ("success", "")
        found[name] = bounds(image)
    for number in (2, 0):
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *boxes["left"])
        status = kit.call(SELECT, image, image.get_layers(), part="eyes", face=number)
        assert status == ("success", "")
        found[f"number {number}"] = bounds(image)
    image.delete()
    return found


def bounds(image):
    return list(Gimp.Selection.bounds(image))[1:]
