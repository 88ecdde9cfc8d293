"""Select parts of a face: in several images, and what the plug-in refuses."""

from pathlib import Path

import kit
from gi.repository import Babl, Gimp

SELECT = "plug-in-inpaint-stylegan-select"
IMAGES = {
    "u8": (61, 40, kit.RGB, Gimp.Precision.U8_NON_LINEAR),
    "adobe": (61, 40, kit.RGB, Gimp.Precision.U8_NON_LINEAR),
    "u8-linear": (61, 40, kit.RGB, Gimp.Precision.U8_LINEAR),
    "gray-u16": (61, 40, kit.GRAY, Gimp.Precision.U16_NON_LINEAR),
    "float": (61, 40, kit.RGB, Gimp.Precision.FLOAT_LINEAR),
    "large": (3100, 100, kit.RGB, Gimp.Precision.U8_NON_LINEAR),
    "large-half": (3100, 100, kit.RGB, Gimp.Precision.HALF_NON_LINEAR),
}


def main(out):
    Gimp.context_set_feather(True)  # of the script; it must not soften the mask
    Gimp.context_set_feather_radius(9, 9)
    selected = {name: select(f"{out}/{name}", *image) for name, image in IMAGES.items()}
    return {"selected": selected, "indexed": indexed(), "refused": refused()}


def select(path, width, height, base, precision):
    image = kit.new_image(width, height, base, precision)
    if path.endswith("adobe"):
        profile = Gimp.ColorProfile.new_rgb_adobe()
        image.convert_color_profile(profile, Gimp.ColorRenderingIntent.RELATIVE_COLORIMETRIC, False)
    layer = image.get_layers()[0]
    kit.fill_with_noise(layer)
    kit.add_layer(image, "Empty", 5, 5, alpha=True).fill(Gimp.FillType.TRANSPARENT)
    image.set_selected_layers([layer])
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 3, 3)
    encoding = Babl.format_get_encoding(layer.get_format())
    before = kit.get(layer, encoding)
    status = kit.call(f"{SELECT}-mouth", image, [layer])
    result = {
        "status": status,
        "tree": kit.tree(image.get_layers()),
        "channels": len(image.get_channels()),
        "is_same_layer_selected": image.get_selected_layers() == [layer],
        "is_layer_as_before": kit.get(layer, encoding) == before,
    }
    Path(f"{path}.raw").write_bytes(kit.get(image.get_selection(), "Y u8"))
    image.delete()
    return result


def bounds(image):
    return list(Gimp.Selection.bounds(image))[1:]


def indexed():
    image = kit.new_image(61, 40)
    kit.fill_with_noise(image.get_layers()[0])
    image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.WEB, 0, False, False, ""
    )
    status = kit.call(SELECT, image, image.get_layers(), part="mouth", face=1)
    result = [status, bounds(image)]
    image.delete()
    return result


def refused():
    plain, noise, floating = (kit.new_image(61, 40) for _ in range(3))
    for image in (noise, floating):
        kit.fill_with_noise(image.get_layers()[0])
    for image in (plain, noise, floating):
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 20, 20)
    Gimp.Selection.float(floating, floating.get_layers(), 0, 0)
    result = {
        "no face": [kit.call(f"{SELECT}-hair", plain, plain.get_layers()), bounds(plain)],
        "no such face": [
            kit.call(SELECT, noise, noise.get_layers(), part="hair", face=2),
            bounds(noise),
        ],
        "floating": [kit.call(SELECT, floating, floating.get_selected_drawables()), None],
    }
    for image in (plain, noise, floating):
        image.delete()
    return result
