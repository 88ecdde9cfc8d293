"""Fill where there are fills already; in a given image, or in the one that was opened last."""

import kit
from gi.repository import Gegl, Gimp


def main(out, selection=None, seed=0, at=None):
    if selection:
        image = Gimp.get_images()[0]
        selected = [layer.get_name() for layer in image.get_selected_layers()]
        tree, color = fill(image, image.get_selected_layers(), seed, selection, at)
        Gimp.displays_flush()
        return {"selected": selected, "tree": tree, "color": color}
    image = kit.new_image(80, 60)
    base = image.get_layers()[0]
    seen = [fill(image, [base], 3, [20, 10, 30, 20]), fill(image, [base], 5, [20, 10, 30, 20])]
    older = image.get_layers()[1].get_children()[1]
    seen.append(fill(image, [older], 7, [30, 15, 40, 30]))  # inside the first run's group
    seen.append(fill(image, [base], 9, [2, 40, 10, 10], at=[5, 45]))
    seen.append(fill(image, [base], 11, [2, 40, 10, 10], at=[5, 45], group=False))
    seen.append(fill(image, [base], 13, [2, 40, 10, 10], at=[5, 45]))
    top = image.get_layers()[0]
    first, second = top.get_children()
    first.set_visible(False)
    second.set_visible(True)
    seen.append([kit.tree(image.get_layers())[0], look(image, [40, 20])])
    image.delete()
    return {"seen": seen}


def fill(image, drawables, seed, box, at=(40, 20), **values):
    """Two candidates; the layers then, and the image's color at a place."""
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *box)
    kit.fill(image, drawables, candidates=2, new_seed=False, seed=seed, **values)
    return [kit.tree(image.get_layers()), look(image, at)]


def look(image, at):
    layer = Gimp.Layer.new_from_visible(image, image, "look")
    buffer = layer.get_buffer()
    found = buffer.get(Gegl.Rectangle.new(*at, 1, 1), 1.0, "R'G'B' u8", Gegl.AbyssPolicy.NONE)
    layer.delete()
    return list(bytes(found))
