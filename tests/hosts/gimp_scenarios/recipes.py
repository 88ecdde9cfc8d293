"""Fill, save, open again, edit: in the same place, moved, cropped, and where it cannot be done."""

import json

import kit
from gi.repository import Gimp


def make(out):
    image = kit.new_image(120, 90)
    layer = image.get_layers()[0]
    kit.fill_with_noise(layer)
    kit.select_soft(image, 30, 20, 50, 40)
    kit.fill(
        image, [layer], candidates=2, new_seed=False, seed=5, variants="smile=2", source="layer"
    )
    kit.save(image, f"{out}/filled.xcf")
    image.delete()


def reopen(out):
    image = kit.load(f"{out}/filled.xcf")
    return image, image.get_layers()[0].get_children()


def as_an_earlier_version(layer):
    """Give a fill the parasites that it had before GIMP and Krita shared one history."""
    run = json.loads(bytes(value & 255 for value in layer.get_parasite("inpaint-fill").get_data()))
    (result,) = run["results"]
    origin = {
        "format": 1,
        "box": run["hole_box"],
        "document": run["document"],
        "layer_tattoo": int(run["source"]),
        "candidate": result["index"],
    }
    layer.detach_parasite("inpaint-fill")
    for name, text in (("recipe", result["recipe"]), ("origin", json.dumps(origin))):
        data = [value - 256 if value > 127 else value for value in text.encode()]
        layer.attach_parasite(Gimp.Parasite.new(f"inpaint-{name}", 3, data))


def main(out):
    make(out)
    results = {}
    image, layers = reopen(out)
    results["edited"] = [
        *kit.call(kit.EDIT, image, [layers[2]], edits="smile=-1"),
        kit.tree(image.get_layers()),
    ]
    kit.save(image, f"{out}/edited.xcf")
    image.delete()

    image, layers = reopen(out)
    as_an_earlier_version(layers[2])
    kit.save(image, f"{out}/earlier.xcf")
    image.delete()
    image = kit.load(f"{out}/earlier.xcf")
    layer = image.get_layers()[0].get_children()[2]
    results["earlier"] = [sorted(layer.get_parasite_list())]
    results["earlier"] += kit.call(kit.EDIT, image, [layer], edits="smile=-1")
    kit.save(image, f"{out}/earlier-edited.xcf")
    image.delete()

    image, layers = reopen(out)
    results["replaced"] = [
        *kit.call(kit.EDIT, image, [layers[0]], edits="smile=3", replace=True),
        kit.tree(image.get_layers()),
    ]
    image.delete()

    image, layers = reopen(out)
    image.crop(100, 80, 10, 5)
    layers[0].set_offsets(layers[0].get_offsets()[1] + 4, layers[0].get_offsets()[2])
    before = layers[0].get_offsets()[1:]
    status, error = kit.call(kit.EDIT, image, [layers[0]], edits="smile=1")
    new = image.get_layers()[0].get_children()[0]
    results["moved"] = [status, error, list(before), list(new.get_offsets()[1:])]
    image.delete()

    image, layers = reopen(out)
    group = image.get_layers()[0]
    results["group"] = [
        *kit.call(kit.EDIT, image, [group], edits="age=1"),
        kit.tree(image.get_layers()),
    ]
    image.delete()

    image, layers = reopen(out)
    layers[0].scale(20, 20, False)
    results["scaled"] = list(kit.call(kit.EDIT, image, [layers[0]], edits="smile=1"))
    image.delete()

    image = kit.new_image(40, 30)
    results["no_fill"] = list(kit.call(kit.EDIT, image, image.get_layers(), edits="smile=1"))
    image.delete()

    image, layers = reopen(out)
    copy = Gimp.Layer.new_from_drawable(layers[0], image)
    results["copied_layer_keeps_its_recipe"] = sorted(copy.get_parasite_list())
    image.delete()
    return results
