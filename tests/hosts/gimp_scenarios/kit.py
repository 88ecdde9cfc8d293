"""Small helpers for scenarios: they speak GIMP as a user's script would."""

import random
import struct

from gi.repository import Babl, Gegl, Gimp, Gio

FILL = "plug-in-inpaint-stylegan"
AGAIN = "plug-in-inpaint-stylegan-again"
EDIT = "plug-in-inpaint-stylegan-edit"
EXAMPLE = "plug-in-inpaint-stylegan-example"
RGB, GRAY = Gimp.ImageBaseType.RGB, Gimp.ImageBaseType.GRAY


def call(name, image, drawables, mode=Gimp.RunMode.NONINTERACTIVE, **values):
    """(status nick, error text) of a procedure; in `values` "_" stands for "-"."""
    pdb = Gimp.get_pdb()
    procedure = pdb.lookup_procedure(name)
    assert procedure is not None, f"{name} is not registered"
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_property("run-mode", mode)
    if drawables:
        config.set_core_object_array("drawables", drawables)
    for key, value in values.items():
        config.set_property(key.replace("_", "-"), value)
    status = procedure.run(config).index(0)
    done = status == Gimp.PDBStatusType.SUCCESS
    return status.value_nick, "" if done else pdb.get_last_error()


def fill(image, drawables, **values):
    """A fill that must succeed."""
    status, error = call(FILL, image, drawables, **values)
    assert status == "success", (status, error)


def new_image(width, height, base=RGB, precision=Gimp.Precision.U8_NON_LINEAR, alpha=False):
    """An image with one layer, white."""
    image = Gimp.Image.new_with_precision(width, height, base, precision)
    add_layer(image, "Background", width, height, alpha=alpha)
    return image


def add_layer(image, name, width, height, x=0, y=0, alpha=False, parent=None):
    gray = image.get_base_type() == GRAY
    kind = {
        (False, False): Gimp.ImageType.RGB_IMAGE,
        (False, True): Gimp.ImageType.RGBA_IMAGE,
        (True, False): Gimp.ImageType.GRAY_IMAGE,
        (True, True): Gimp.ImageType.GRAYA_IMAGE,
    }[gray, alpha]
    layer = Gimp.Layer.new(image, name, width, height, kind, 100.0, Gimp.LayerMode.NORMAL)
    layer.set_offsets(x, y)
    image.insert_layer(layer, parent, 0)
    layer.fill(Gimp.FillType.WHITE)
    return layer


def fill_with_noise(layer, seed=1):
    """Random pixels in the layer's own format, floats partly below 0 and above 1."""
    encoding = Babl.format_get_encoding(layer.get_format())
    area = layer.get_width() * layer.get_height()
    count = area * Babl.format_get_bytes_per_pixel(layer.get_format())
    draw = random.Random(seed)  # noqa: S311 (pixels, no secrets)
    code, size = next(
        (
            (c, s)
            for word, c, s in (("half", "e", 2), ("float", "f", 4), ("double", "d", 8))
            if word in encoding
        ),
        ("", 1),
    )
    if code:
        values = [draw.uniform(-0.1, 1.2) for _ in range(count // size)]
        data = struct.pack(f"<{len(values)}{code}", *values)
    else:
        data = draw.randbytes(count)
    put(layer, encoding, data)


def put(layer, encoding, data):
    buffer = layer.get_buffer()
    buffer.set(whole(layer), encoding, data)
    buffer.flush()
    layer.update(0, 0, layer.get_width(), layer.get_height())


def get(drawable, encoding):
    return bytes(drawable.get_buffer().get(whole(drawable), 1.0, encoding, Gegl.AbyssPolicy.NONE))


def whole(drawable):
    return Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())


def composite(image):
    """(babl encoding, bytes) of the visible image, in its own format."""
    layer = Gimp.Layer.new_from_visible(image, image, "composite")
    encoding = Babl.format_get_encoding(layer.get_format())
    data = get(layer, encoding)
    layer.delete()
    return encoding, data


def select_soft(image, x, y, width, height):
    """A selection with soft edges."""
    image.select_ellipse(Gimp.ChannelOps.REPLACE, x, y, width, height)
    Gimp.Selection.feather(image, 6)


def tree(layers):
    """Names from top to bottom; a group is [name, [...]]; hidden ones begin with "-"."""
    names = []
    for layer in layers:
        name = layer.get_name() if layer.get_visible() else f"-{layer.get_name()}"
        names.append([name, tree(layer.get_children())] if layer.is_group() else name)
    return names


def save(image, path):
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(path), None)


def load(path):
    return Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path))
