"""Run by other Pythons than the tests': a fill and a cancel through a vendored tree.

python vendored_fill.py FOLDER PACKAGE ADDRESS
"""

import sys
from importlib import import_module

folder, package, address = sys.argv[1:]
sys.path.insert(0, folder)
before = set(sys.modules)
client_module = import_module(f"{package}._vendor.inpaint_client")
pixels = import_module(f"{package}._vendor.inpaint_client.pixels")

width, height = 64, 48
krita = b"\1\2\3\xff" * (width * height)  # B, G, R, A
hole = bytes(width * 10) + b"\xff" * (width * 5) + bytes(width * 33)
extent = client_module.Extent(width, height)
job = client_module.FillJob(
    capture=client_module.Capture(
        crop=client_module.Picture(width, height, 3, pixels.rearrange(krita, "BGRA", "RGB")),
        hole=client_module.Picture(width, height, 1, hole),
        crop_box=client_module.Box(0, 0, width, height),
        document=extent,
    ),
    seeds=(3, 4, 5),
)
assert job.capture.hole_box == (0, 10, 64, 5)
with client_module.BlockingClient(lambda: client_module.parse_endpoint(address)) as client:
    assert client.info().models[0].name == "fake"
    assert client.is_serving()
    events = list(client.fill(job))
    for event in client.fill(job):
        if isinstance(event, client_module.Candidate):
            break  # which cancels
    try:
        client.load_model("absent")
        raise SystemExit("a model that does not exist was loaded")
    except client_module.NotFoundError:
        pass
candidates = [event for event in events if isinstance(event, client_module.Candidate)]
assert [candidate.seed for candidate in candidates] == [3, 4, 5]
[patch] = candidates[0].patches
layer = pixels.rearrange(patch.fill.data, "RGB", "BGRA", coverage=patch.coverage.data)
assert layer[3::4] == patch.coverage.data == b"\xff" * (64 * 5)
leaked = {name.split(".")[0] for name in set(sys.modules) - before}
leaked -= sys.stdlib_module_names | {package}
assert not leaked, leaked
print("filled", *sys.version_info[:2], sep=".")
