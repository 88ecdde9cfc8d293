"""Select a part of a portrait and fill it, by two procedures; `benchmarks.parts` times it."""

import time
from pathlib import Path

import kit

SELECT = "plug-in-inpaint-stylegan-select"


def main(out, image, parts):
    return [once(out, image, part) for part in parts]


def once(out, path, part):
    """Measure the seconds from the first call to the selection and to the last layer."""
    image = kit.load(path)
    layers = image.get_layers()
    called = time.perf_counter()
    chosen = kit.call(f"{SELECT}-{part}", image, layers)
    selected = time.perf_counter() - called
    filled = kit.call(kit.FILL, image, layers, candidates=4, new_seed=False, smooth="never", seed=5)
    ended = time.perf_counter() - called
    Path(f"{out}/{part}.raw").write_bytes(kit.get(image.get_selection(), "Y u8"))
    kit.save(image, f"{out}/{part}.xcf")
    image.delete()
    return {
        "status": [chosen, filled],
        "part": part,
        "selected_s": selected,
        "filled_s": ended,
    }
