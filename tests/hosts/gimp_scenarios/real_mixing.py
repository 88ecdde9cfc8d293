"""Mix a fill with another one, completely, by half, and not at all; then with a layer."""

import kit


def main(out):
    image = kit.new_image(260, 200)
    layer = image.get_layers()[0]
    kit.fill_with_noise(layer)
    kit.put(kit.add_layer(image, "photo", 260, 200), "R'G'B' u8", bytes((250, 90, 20)) * 52000)
    image.get_layers()[0].set_visible(False)
    kit.select_soft(image, 90, 60, 80, 70)
    off = ("color_match", "gradient", "grain", "detail")  # nothing but the styles
    plain = {**dict.fromkeys(off, False), "smooth": "never"}
    kit.fill(image, [layer], candidates=2, new_seed=False, seed=3, source="layer", **plain)
    group = next(x for x in image.get_layers() if x.is_group())
    first, second = group.get_children()
    first.set_name("first")
    second.set_name("second")
    results = {}

    def edit(name, layer, **values):
        results[name] = kit.call(kit.EDIT, image, [layer], **values)
        made = group.get_children()[image.get_item_position(layer) - 1]
        made.set_name(name)
        return made

    whole = edit("whole", first, mix="second")
    edit("half", whole, mix="second", amount=0.5)
    edit("unmixed", whole)
    edit("alike", first, mix="photo")
    kit.save(image, f"{out}/mixed.xcf")
    image.delete()
    return results
