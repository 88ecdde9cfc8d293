"""The whole way on real photographs: `python -m benchmarks.photographs --out DIR [--limit N]`.

Needs ../shared; starts a daemon of its own. Each photograph gets three holes (eyes, mouth and chin,
hair and forehead), which `inpaint fill` fills with a frame that the framer finds and with the true
one. Telea's and the Navier-Stokes method fill the same holes. Judged are the face crops at 256 px:
KID in 768 Inception features (paired) and VGG distance to the original, and the colour step at the
hole's border. The pictures stay in DIR, to be looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from inpaint_model import frames
from inpaint_model.frames import Frame
from inpaint_model.metrics.kernel import paired_kernel_distance
from inpaint_model.metrics.networks import Judges, features_of, load_judges
from inpaint_model.metrics.perceptual import tap_distance
from inpaint_model.pixels import quantise
from inpaint_model.resampling import resample
from inpaint_model.seams import seam_step
from numpy.typing import NDArray
from PIL import Image

from benchmarks.daemon import running_daemon
from benchmarks.framer import errors
from benchmarks.seam import HOLES, cases, ellipse

Bytes = NDArray[np.uint8]
Method = Callable[[Path, Path, Bytes, Bytes, Frame], Bytes]
CROP = 256
RADIUS = 5  # of the classical methods, px


class Found(NamedTuple):
    """What the framer found for one hole."""

    frame: Frame
    confidence: float


@contextmanager
def daemon_of_our_own(model: str) -> Iterator[Mapping[str, str]]:
    """A daemon for a model on the processor; what `inpaint` finds it by."""
    with running_daemon(model, "cpu") as endpoint:
        address = f"{endpoint.host}:{endpoint.port}"
        yield {**os.environ, "INPAINT_SERVER": address, "INPAINT_TOKEN": endpoint.token}


def through_the_daemon(
    environment: Mapping[str, str], auto: bool, found: dict[str, Found]
) -> Method:
    """`inpaint fill` with the frame found or given; what was found is kept by file name."""

    def fill(image: Path, mask: Path, _: Bytes, __: Bytes, truth: Frame) -> Bytes:
        out = mask.with_suffix(".auto" if auto else ".true")
        frame = "auto" if auto else ",".join(f"{value:.3f}" for value in truth)
        command = [sys.executable, "-m", "inpaint_cli", "fill", str(image), "--mask", str(mask)]
        command += ["--out", str(out), "-n", "1", "--seed", "0", "--json", f"--frame={frame}"]
        done = subprocess.run(  # noqa: S603 (our own command)
            command, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        about = json.loads(done.stdout.splitlines()[-1])
        if auto:
            found[mask.name] = Found(Frame(*about["frame"][0]), float(about["confidence"]))
        return np.asarray(Image.open(out / "candidate-00.png").convert("RGB"))

    return fill


def classical(flag: int) -> Method:
    def fill(_: Path, __: Path, pixels: Bytes, coverage: Bytes, truth: Frame) -> Bytes:
        hole = (coverage > 0).astype(np.uint8)
        filled = cv2.inpaint(np.ascontiguousarray(pixels[..., ::-1]), hole, RADIUS, flag)
        return np.ascontiguousarray(filled[..., ::-1])

    return fill


def face_crop(pixels: Bytes, frame: Frame) -> Bytes:
    matrix = frames.document_from_model(frame, CROP)
    return quantise(resample(pixels.astype(np.float32) / 255, matrix, CROP, CROP), np.uint8)


def judged(judges: Judges, originals: list[Bytes], fills: list[Bytes]) -> dict[str, float]:
    one, two = (torch.from_numpy(np.stack(p)).permute(0, 3, 1, 2) for p in (originals, fills))
    scores = {}
    for network in judges.inception:
        kid = paired_kernel_distance(features_of(network, one, ""), features_of(network, two, ""))
        scores[f"kid{network.suffix}_x1000"] = round(1000 * kid.value, 3)
    if judges.vgg_taps is not None:
        with torch.inference_mode():
            values = [
                tap_distance(*(judges.vgg_taps(p[None].float() / 127.5 - 1) for p in pair))
                for pair in zip(one, two, strict=True)
            ]
        scores["vgg"] = round(float(torch.cat(values).mean()), 4)
    return scores


class Results:
    """What every method made of every hole."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self.regions: list[str] = []
        self.originals: list[Bytes] = []
        self.crops: dict[str, list[Bytes]] = {name: [] for name in methods}
        self.seams: dict[str, list[float]] = {name: [] for name in methods}

    def scores(self, judges: Judges, method: str, region: str) -> dict[str, object]:
        """The numbers of one method, for the holes of one region ("" for all)."""
        at = [i for i, name in enumerate(self.regions) if region in ("", name)]
        originals, crops = ([p[i] for i in at] for p in (self.originals, self.crops[method]))
        seams = np.array(self.seams[method])[at]
        return {
            "holes": region or "all",
            "method": method,
            "fills": len(at),
            **judged(judges, originals, crops),
            "seam_median": round(float(np.nanmedian(seams)), 3),
        }


def fill_all(
    out: Path, photographs: Iterator[tuple[str, Bytes, Frame]], methods: Mapping[str, Method]
) -> tuple[Results, dict[str, Frame]]:
    """Fill every hole by every method; also the true frames, by the masks' file names."""
    results = Results(methods)
    truths: dict[str, Frame] = {}
    for name, pixels, truth in photographs:
        image = out / f"{name}.png"
        Image.fromarray(pixels).save(image)
        for region, hole in HOLES.items():
            coverage = ellipse(pixels.shape, truth, hole)
            mask = out / f"{name}-{region}.png"
            Image.fromarray(coverage).save(mask)
            truths[mask.name] = truth
            results.regions.append(region)
            results.originals.append(face_crop(pixels, truth))
            for method, fill in methods.items():
                result = fill(image, mask, pixels, coverage, truth)
                Image.fromarray(result).save(out / f"{name}-{region}-{method}.png")
                results.crops[method].append(face_crop(result, truth))
                before, after = (p.astype(np.float32) / 255 for p in (pixels, result))
                results.seams[method].append(seam_step(after, before, coverage > 0))
    return results, truths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="portrait", help="a bundle's name or folder")
    parser.add_argument("--limit", type=int, default=1000, help="photographs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Found] = {}
    with daemon_of_our_own(args.model) as environment:
        methods: dict[str, Method] = {
            "auto": through_the_daemon(environment, True, found),
            "true": through_the_daemon(environment, False, found),
            "telea": classical(cv2.INPAINT_TELEA),
            "navier-stokes": classical(cv2.INPAINT_NS),
        }
        results, truths = fill_all(args.out, cases(args.shared, args.limit), methods)
    judges = load_judges(args.shared / "metrics")
    for region in ("", *HOLES):
        for method in methods:
            print(json.dumps(results.scores(judges, method, region)), flush=True)
    misses = {name: errors(found[name].frame, truth) for name, truth in truths.items()}
    for name, miss in misses.items():
        row = {"centre": miss[0], "side": miss[1], "angle": miss[2]}
        row = {key: round(value, 4) for key, value in row.items()}
        print(json.dumps({"mask": name, **row, "confidence": found[name].confidence}))
    centre, side, angle = np.median(list(misses.values()), axis=0).round(4).tolist()
    print(json.dumps({"centre": centre, "side": side, "angle": angle, "fills": len(misses)}))


if __name__ == "__main__":
    main()
