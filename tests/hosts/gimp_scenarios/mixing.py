"""Mix a fill with another one and with a layer, save, open again, change that, take it away."""

import kit

GREEN = bytes((0, 200, 0, 255))


def make(out):
    image = kit.new_image(120, 90)
    layer = image.get_layers()[0]
    kit.fill_with_noise(layer)
    green = kit.add_layer(image, "Green", 100, 70, 10, 10, alpha=True)
    kit.put(green, "R'G'B'A u8", GREEN * (100 * 70))
    green.set_visible(False)
    kit.add_layer(image, "Beside", 10, 10, 200, 0)
    kit.select_soft(image, 30, 20, 50, 40)
    kit.fill(image, [layer], candidates=2, new_seed=False, seed=5, source="layer")
    kit.save(image, f"{out}/filled.xcf")
    return image


def main(out):
    image = make(out)
    group = next(x for x in image.get_layers() if x.is_group())
    first, second = group.get_children()
    selection = kit.get(image.get_selection(), "Y u8")
    results = {}

    def attempt(name, layer, **values):
        status, error = kit.call(kit.EDIT, image, [layer], **values)
        results[name] = [status, error, kit.tree(group.get_children())]

    attempt("result", first, mix=second.get_name(), levels="colors", amount=0.25)
    results["selection_is_as_before"] = kit.get(image.get_selection(), "Y u8") == selection
    kit.save(image, f"{out}/mixed.xcf")
    image.delete()

    image = kit.load(f"{out}/mixed.xcf")
    group = next(x for x in image.get_layers() if x.is_group())
    mixed = group.get_children()[0]
    attempt("again", mixed, mix="2 · seed 6", edits="smile=1", replace=True)
    kit.save(image, f"{out}/again.xcf")
    attempt("nothing", group.get_children()[0], replace=True)
    attempt("layer", group.get_children()[0], mix="Green", replace=True)
    kit.save(image, f"{out}/like.xcf")
    for name, values in (
        ("beside", {"mix": "Beside"}),
        ("unknown", {"mix": "Grün"}),
        ("group", {"mix": group.get_name()}),
        ("itself", {"mix": group.get_children()[0].get_name()}),
        ("levels", {"mix": "Green", "levels": "hue"}),
    ):
        attempt(name, group.get_children()[0], **values)
    image.delete()
    return results
