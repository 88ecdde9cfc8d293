"""What users may have selected: masks, groups, channels, offsets, nothing at all."""

import kit
from gi.repository import Gimp

SETTINGS = {"candidates": 1, "new_seed": False, "seed": 3}


def main(out):
    cases = {name: case for name, case in globals().items() if name.startswith("case_")}
    return {name.removeprefix("case_"): case() for name, case in cases.items()}


def attempt(image, drawables, **values):
    """[status, error text, layer tree, offsets of the new layer] after a fill."""
    status, error = kit.call(kit.FILL, image, drawables, **{**SETTINGS, **values})
    made = next((x for x in image.get_layers() if "Inpaint" in x.get_name()), None)
    box = None
    if made is not None:
        layer = made.get_children()[0]
        box = [*layer.get_offsets()[1:], layer.get_width(), layer.get_height()]
    result = [status, error, kit.tree(image.get_layers()), box]
    image.delete()
    return result


def selected(width=80, height=60, **values):
    image = kit.new_image(width, height, **values)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 10, 30, 20)
    return image


def case_plain():
    image = selected()
    return attempt(image, image.get_layers())


def case_no_selection():
    image = kit.new_image(80, 60)
    return attempt(image, image.get_layers())


def case_erased():
    image = kit.new_image(80, 60, alpha=True)
    image.select_rectangle(Gimp.ChannelOps.REPLACE, 5, 6, 7, 8)
    image.get_layers()[0].edit_clear()
    Gimp.Selection.none(image)
    return attempt(image, image.get_layers())


def case_indexed():
    image = selected()
    image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, ""
    )
    return attempt(image, image.get_layers())


def case_two_layers_visible():
    image = selected()
    kit.add_layer(image, "Upper", 80, 60)
    return attempt(image, image.get_layers())


def case_two_layers_one_as_source():
    image = selected()
    kit.add_layer(image, "Upper", 80, 60)
    return attempt(image, image.get_layers(), source="layer")


def case_no_layer_selected():
    image = selected()
    return attempt(image, [])


def case_layer_mask():
    image = selected()
    layer = image.get_layers()[0]
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    return attempt(image, [mask], source="layer")


def case_channel_visible():
    image = selected()
    channel = Gimp.Channel.new(image, "spot", 80, 60, 50.0, Gimp.context_get_foreground())
    image.insert_channel(channel, None, 0)
    return attempt(image, [channel])


def case_channel_as_source():
    image = selected()
    channel = Gimp.Channel.new(image, "spot", 80, 60, 50.0, Gimp.context_get_foreground())
    image.insert_channel(channel, None, 0)
    return attempt(image, [channel], source="layer")


def case_group():
    image = selected()
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    kit.add_layer(image, "Inside", 40, 40, 5, 5, parent=group)
    return attempt(image, [group], source="layer")


def case_inside_a_group():
    image = selected()
    group = Gimp.GroupLayer.new(image, "Group")
    image.insert_layer(group, None, 0)
    inside = kit.add_layer(image, "Inside", 40, 40, 5, 5, parent=group)
    status, error = kit.call(kit.FILL, image, [inside], **SETTINGS)
    result = [status, error, kit.tree(image.get_layers())]
    image.delete()
    return result


def case_offset_layer():
    image = selected()
    layer = kit.add_layer(image, "Small", 40, 40, 15, -5, alpha=True)
    return attempt(image, [layer], source="layer")


def case_selection_beside_the_layer():
    image = selected()
    layer = kit.add_layer(image, "Small", 10, 10, 60, 40)
    return attempt(image, [layer], source="layer")


def case_layer_off_canvas():
    image = kit.new_image(80, 60)
    layer = kit.add_layer(image, "Away", 10, 10, 200, 200, alpha=True)
    layer.fill(Gimp.FillType.TRANSPARENT)
    return attempt(image, [layer])


def case_floating():
    image = selected()
    Gimp.Selection.float(image, image.get_layers(), 0, 0)
    return attempt(image, image.get_selected_drawables())


def case_side_by_side():
    image = selected()
    layer = image.get_layers()[0]
    status, error = kit.call(
        kit.FILL, image, [layer], candidates=2, new_seed=False, seed=3, group=False
    )
    result = [status, error, kit.tree(image.get_layers())]
    image.delete()
    return result


def case_bad_edits():
    image = selected()
    return attempt(image, image.get_layers(), edits="smile")


def case_again_uses_the_last_values_and_another_seed():
    image = selected()
    kit.fill(image, image.get_layers(), **SETTINGS)
    status, error = kit.call(kit.AGAIN, image, image.get_layers()[-1:])
    result = [status, error, kit.tree(image.get_layers())]
    image.delete()
    return result


def case_selection_stays_with_the_layer():
    image = selected()
    layer = image.get_layers()[0]
    image.set_selected_layers([layer])
    kit.fill(image, [layer], **SETTINGS)
    names = [x.get_name() for x in image.get_selected_layers()]
    image.delete()
    return names
