"""Evaluate the full pipeline on photographs.

    python -m benchmarks.photographs --out DIR [--limit N]

Needs ../shared; starts its own daemon. Each photograph gets three holes (eyes, mouth and chin, hair
and forehead), which the daemon fills with a frame found by the framer, with the true frame, and
with the true frame without blending. Telea's and the Navier-Stokes method fill the same holes. The
face crops at 256 px are evaluated: KID in 768 Inception features (paired), VGG distance to the
original, and the color step at the hole's border. The images stay in DIR for viewing, and an
interrupted run continues from them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from inpaint_cli.layers import raw_patch
from inpaint_client import (
    RAW,
    Blending,
    BlockingClient,
    Candidate,
    Capture,
    Extent,
    FillJob,
    FrameChosen,
    FrameMode,
    Picture,
)
from inpaint_client import Box as WireBox
from inpaint_client import Frame as WireFrame
from inpaint_model.document import geometry
from inpaint_model.document.color import quantize
from inpaint_model.document.compositing import composite
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.resampling import resample
from inpaint_model.evaluation.metrics.feature_networks import (
    EvaluationNetworks,
    FeatureNetwork,
    features_of,
    load_evaluation_networks,
)
from inpaint_model.evaluation.metrics.kid import paired_kernel_distance
from inpaint_model.evaluation.metrics.vgg_distance import tap_distance
from numpy.typing import NDArray
from PIL import Image

from benchmarks.daemon import running_daemon
from benchmarks.framer import errors
from benchmarks.seam import HOLES, added_step, cases, ellipse

Bytes = NDArray[np.uint8]
CROP = 256
RADIUS = 5  # px, for the classical methods


class Filled(NamedTuple):
    """A photograph with one hole filled, and the error of the frame."""

    pixels: Bytes
    frame: dict[str, Any]


Method = Callable[[Bytes, Hole, Frame], Filled]


def through_the_daemon(client: BlockingClient, auto: bool, blending: Blending) -> Method:
    """Return a method that fills as the plug-ins do, with the frame found or given."""

    def fill(pixels: Bytes, hole: Hole, truth: Frame) -> Filled:
        height, width = hole.coverage.shape
        job = FillJob(
            capture=Capture(
                crop=Picture(width, height, 3, pixels.tobytes()),
                hole=Picture(width, height, 1, hole.coverage.tobytes()),
                crop_box=WireBox(0, 0, width, height),
                document=Extent(width, height),
            ),
            seeds=(0,),
            frame=FrameMode.AUTO if auto else WireFrame(*truth),
            blending=blending,
        )
        events = list(client.fill(job))
        (chosen,) = (event for event in events if isinstance(event, FrameChosen))
        (candidate,) = (event for event in events if isinstance(event, Candidate))
        layers = [raw_patch(patch) for patch in candidate.patches]
        center, side, angle = errors(Frame(*chosen.frame), truth)
        about = {"mode": chosen.mode.name, "confidence": chosen.confidence}
        about |= {"center": center, "side": side, "angle": angle}
        return Filled(composite(pixels, layers), about)

    return fill


def classical(flag: int) -> Method:
    """Return a method that fills with OpenCV's algorithm `flag`."""

    def fill(pixels: Bytes, hole: Hole, truth: Frame) -> Filled:
        bgr, mask = np.ascontiguousarray(pixels[..., ::-1]), hole.mask.astype(np.uint8)
        filled = cv2.inpaint(bgr, mask, RADIUS, flag)
        return Filled(np.ascontiguousarray(filled[..., ::-1]), {})

    return fill


def face_crop(pixels: Bytes, frame: Frame) -> Bytes:
    """Return the image in a frame, uint8 [CROP, CROP, 3]."""
    matrix = geometry.document_from_model(frame, CROP)
    display = pixels.astype(np.float32) / np.float32(255)
    return quantize(resample(display, matrix, CROP, CROP), np.uint8)


class Results:
    """The fills of all holes by all methods."""

    def __init__(self, methods: Iterable[str]) -> None:
        self.regions: list[str] = []
        self.originals: list[Bytes] = []
        self.crops: dict[str, list[Bytes]] = {name: [] for name in methods}
        self.seams: dict[str, list[float]] = {name: [] for name in methods}
        self.frames: dict[str, dict[str, Any]] = {}  # frames found, by photograph and hole

    def frame_errors(self) -> dict[str, object]:
        """Return medians and 95th percentiles, relative to the side and in degrees."""
        rows = [[f["center"], f["side"], f["angle"]] for f in self.frames.values()]
        percentiles = np.percentile(rows, [50, 95], axis=0).round(4).tolist()
        return {"frames": len(rows), "center_side_angle_p50_p95": percentiles}


class Judged:
    """Features and distances of all fills, computed once for all tables."""

    def __init__(self, judges: EvaluationNetworks, results: Results) -> None:
        self.results = results
        networks = judges.inception
        self.originals = {n.suffix: features(n, results.originals) for n in networks}
        self.fills = {
            method: {n.suffix: features(n, crops) for n in networks}
            for method, crops in results.crops.items()
        }
        self.vgg = {
            method: vgg_distances(judges, results.originals, crops)
            for method, crops in results.crops.items()
        }

    def scores(self, method: str, region: str) -> dict[str, object]:
        """Return the numbers of one method, for the holes of one region ("" for all)."""
        at = [i for i, name in enumerate(self.results.regions) if region in ("", name)]
        row: dict[str, object] = {"holes": region or "all", "method": method, "fills": len(at)}
        for suffix, originals in self.originals.items():
            kid = paired_kernel_distance(originals[at], self.fills[method][suffix][at])
            row[f"kid{suffix}_x1000"] = [round(1000 * value, 3) for value in kid]
        row["vgg"] = round(float(self.vgg[method][at].mean()), 4)
        row["seam_median"] = round(float(np.nanmedian(np.array(self.results.seams[method])[at])), 3)
        return row


def features(network: FeatureNetwork, images: list[Bytes]) -> NDArray[np.float64]:
    """Return the features [N, D] of images."""
    return features_of(network, torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), "")


def vgg_distances(
    judges: EvaluationNetworks, originals: list[Bytes], fills: list[Bytes]
) -> NDArray[np.float64]:
    """Return the distance of each fill to its original; NaN without the network."""
    if judges.vgg_taps is None:
        return np.full(len(fills), np.nan)
    distances = []
    with torch.inference_mode():
        for pair in zip(originals, fills, strict=True):
            one, two = (torch.from_numpy(p).permute(2, 0, 1)[None] / 127.5 - 1 for p in pair)
            distances.append(float(tap_distance(judges.vgg_taps(one), judges.vgg_taps(two))))
    return np.array(distances)


def kept(stem: Path, fill: Callable[[], Filled]) -> Filled:
    """Load a fill from its files, or make and save it, so that an interrupted run can continue."""
    image, frame = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".json")
    if not frame.exists():
        filled = fill()
        Image.fromarray(filled.pixels).save(image, compress_level=1)
        frame.write_text(json.dumps(filled.frame))
        return filled
    return Filled(np.asarray(Image.open(image)), json.loads(frame.read_text()))


def fill_all(
    out: Path, photographs: Iterable[tuple[str, Bytes, Frame]], methods: Mapping[str, Method]
) -> Results:
    """Fill every hole with every method."""
    results = Results(methods)
    for name, pixels, truth in photographs:
        Image.fromarray(pixels).save(out / f"{name}.png", compress_level=1)
        for region, axes in HOLES.items():
            hole = ellipse(pixels.shape, truth, axes)
            results.regions.append(region)
            results.originals.append(face_crop(pixels, truth))
            for method, fill in methods.items():
                stem = out / f"{name}-{region}-{method}"
                filled = kept(stem, partial(fill, pixels, hole, truth))
                results.crops[method].append(face_crop(filled.pixels, truth))
                results.seams[method].append(added_step(pixels, filled.pixels, hole))
                if method == "auto":
                    results.frames[f"{name} {region}"] = filled.frame
    return results


def main() -> None:
    """Fill the photographs with each method, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path("../shared"),
        help="folder with photographs and networks (default: ../shared)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the images")
    parser.add_argument(
        "--model", default="portrait", help="name or folder of a bundle (default: portrait)"
    )
    parser.add_argument("--skip", type=int, default=0, help="number of photographs to skip")
    parser.add_argument("--limit", type=int, default=1000, help="use only the first N photographs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    photographs = islice(cases(args.shared, args.limit), args.skip, None)
    with (
        running_daemon(args.model, "cpu") as (endpoint, _),
        BlockingClient(lambda: endpoint) as client,
    ):
        methods: dict[str, Method] = {
            "auto": through_the_daemon(client, True, Blending()),
            "true": through_the_daemon(client, False, Blending()),
            "raw": through_the_daemon(client, False, RAW),
            "telea": classical(cv2.INPAINT_TELEA),
            "navier-stokes": classical(cv2.INPAINT_NS),
        }
        results = fill_all(args.out, photographs, methods)
    judged = Judged(load_evaluation_networks([args.shared / "metrics"]), results)
    for region in ("", *HOLES):
        for method in methods:
            print(json.dumps(judged.scores(method, region)), flush=True)
    for name, frame in results.frames.items():
        print(json.dumps({"hole": name} | frame))
    print(json.dumps(results.frame_errors()))


if __name__ == "__main__":
    main()
