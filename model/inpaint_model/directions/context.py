"""What all methods of finding directions share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from inpaint_model.bundle.directions import Direction, Layers
from inpaint_model.bundle.manifest import BundleInfo, find_bundle, read_bundle
from inpaint_model.bundle.weights import load_discriminator, load_generator
from inpaint_model.directions.attributes import PORTRAIT, SHAPES, Attribute, Shape
from inpaint_model.directions.calibrate import SanityCheck, with_range, with_unit
from inpaint_model.directions.effects import Subject
from inpaint_model.directions.measurements import Score
from inpaint_model.directions.scorers import load_scorers
from inpaint_model.directions.subjects import sampled
from inpaint_model.document.arrays import Float64Array
from inpaint_model.networks.generator import Generator

CALIBRATION = 12  # images
UNCHECKED = (-3.0, 3.0)


@dataclass(frozen=True)
class DirectionContext:
    """A generator and its discriminator."""

    info: BundleInfo
    generator: Generator
    discriminator: SanityCheck | None

    def draft(
        self,
        name: str,
        group: str,
        layers: Layers,
        source: str,
        attribute: str = "",
        description: str = "",
    ) -> Direction:
        """Return an unchecked direction."""
        return Direction(
            name, group, layers, 1.0, UNCHECKED,
            source=source, licence=self.info.card.licence,
            attribute=attribute, description=description,
            generator_sha256=self.info.generator_sha256, offered=False,
        )  # fmt: skip

    def subjects(self, seed: int) -> list[Subject]:
        """Return samples for calibration."""
        return sampled(self.generator, CALIBRATION, seed)

    def finish(
        self,
        direction: Direction,
        vector: Float64Array,
        w: Float64Array,
        subjects: Sequence[Subject],
        score: Score | None = None,
        spread: float = 0.0,
    ) -> tuple[Direction, Tensor]:
        """Calibrate a vector, [w_dim] or [num_ws, w_dim].

        One unit moves `score` by `spread`, its standard deviation; without a score, codes
        w [N, w_dim] by theirs.
        """
        tensor = torch.from_numpy(np.ascontiguousarray(vector, dtype=np.float32))
        along = std_dev_along(w, vector)
        if score is None:
            direction = replace(direction, unit=along)
        else:
            direction = with_unit(direction, tensor, along, subjects, score, spread)
        return with_range(direction, tensor, along, subjects, self.discriminator), tensor


def std_dev_along(w: Float64Array, vector: Float64Array) -> float:
    """Return the standard deviation of codes along a vector (its longest row), per length."""
    rows = np.atleast_2d(vector)
    steps = np.linalg.norm(rows, axis=1)
    row = rows[int(steps.argmax())]
    return float((w @ row).std() / (row @ row))


def open_context(bundle: str, device: torch.device | str = "cpu") -> DirectionContext:
    """Load a bundle's generator and, if any, discriminator."""
    info = read_bundle(find_bundle(bundle))
    generator = load_generator(info).to(device)
    D = load_discriminator(info)
    discriminator: SanityCheck | None = None
    if D is not None and not D.config.c_dim:
        discriminator = D.eval().requires_grad_(False).to(device)
    return DirectionContext(info, generator, discriminator)


def known_attributes(
    info: BundleInfo,
    scorers: Sequence[str],
    judges: Sequence[str],
    device: torch.device | str = "cpu",
) -> tuple[Attribute, ...]:
    """Return the bundle's attributes and those of `NAME=FILE` scorers.

    A scorer without one in `judges` validates itself, on samples not used for the fit. Scorers
    named like one of `SHAPES` take over its group and description.
    """
    own: tuple[Attribute, ...] = PORTRAIT if info.card.alignment == "ffhq" else ()
    loaded = load_scorers([*scorers, *judges], device)  # together, so that they share networks
    named, others = dict(loaded[: len(scorers)]), dict(loaded[len(scorers) :])
    if others.keys() - named.keys():
        raise ValueError(
            f"--validation-scorer {', '.join(others.keys() - named.keys())} needs a --scorer of "
            "the same name"
        )
    given = tuple(
        SHAPES.get(name, Shape("custom", f"more {name}")).measured(
            name, score, others.get(name, score)
        )
        for name, score in named.items()
    )
    return tuple(a for a in own if a.name not in named) + given
