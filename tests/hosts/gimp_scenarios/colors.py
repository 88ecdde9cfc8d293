"""A fill in an image whose profile is not sRGB: what is stored, and what it means."""

import kit
from gi.repository import Gimp


def main(out):
    image = kit.new_image(60, 50)
    layer = image.get_layers()[0]
    kit.put(layer, "R'G'B' u8", bytes((200, 100, 10)) * 3000)
    image.convert_color_profile(
        Gimp.ColorProfile.new_rgb_adobe(), Gimp.ColorRenderingIntent.RELATIVE_COLORIMETRIC, False
    )
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 10, 30, 20)
    kit.fill(image, [layer], candidates=1, new_seed=False, seed=7)
    made = image.get_layers()[0].get_children()[0]
    kit.save(image, f"{out}/adobe.xcf")
    result = {
        "known": list(kit.get(layer, "R'G'B' u8")[:3]),
        "fill": list(kit.get(made, "R'G'B' u8")[:3]),
        "profile": image.get_color_profile().get_label(),
    }
    image.delete()
    return result
