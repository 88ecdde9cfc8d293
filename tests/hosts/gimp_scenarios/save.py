"""Save the image that was opened last as an XCF file."""

import kit
from gi.repository import Gimp


def main(out, name):
    kit.save(Gimp.get_images()[0], f"{out}/{name}.xcf")
