"""The selection, layers and channels of the image that was opened last."""

import kit
from gi.repository import Gimp


def main(out):
    image = Gimp.get_images()[0]
    return {
        "bounds": list(Gimp.Selection.bounds(image))[1:],
        "tree": kit.tree(image.get_layers()),
        "channels": [channel.get_name() for channel in image.get_channels()],
        "selected": [layer.get_name() for layer in image.get_selected_layers()],
    }
