"""Numpy in, numpy out: what callers use instead of the networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inpaint_model.bundle.direction_store import load_vectors
from inpaint_model.bundle.directions import Direction, offered
from inpaint_model.bundle.manifest import BundleInfo, find_bundle, read_bundle
from inpaint_model.bundle.weights import load_model, load_tensors
from inpaint_model.data.transfer import read_array, upload
from inpaint_model.document.arrays import CodesF32, FloatImage, ImageU8, MaskU8
from inpaint_model.framing.network import Framer, framer_from
from inpaint_model.inference.cuda_graphs import CudaRecorder, GraphedPasses
from inpaint_model.inference.freeze import best_dtype, freeze_for_inference
from inpaint_model.inference.passes import EagerPasses, Passes
from inpaint_model.networks.config import InpaintingConfig
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel

MAX_SEED = 2**32 - 1


class UnknownDirectionError(ValueError):
    """An edit names a direction that the model does not have. The message names the known ones."""


@dataclass(frozen=True)
class Fill:
    """One candidate."""

    seed: int
    output: ImageU8  # [R, R, 3], the raw output of the network
    composite: ImageU8  # [R, R, 3], the output in the hole and the input's own bytes elsewhere
    ws_out: CodesF32  # [num_ws, w_dim], before edits


def latent_of_seed(seed: int, z_dim: int) -> Tensor:
    """Return z [z_dim] of a seed: normal numbers of the CPU's generator, so the same everywhere.

    Raises:
        ValueError: the seed is not in 0..2^32 - 1.
    """
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed {seed} is not in 0..{MAX_SEED}")
    return torch.randn(z_dim, generator=torch.Generator("cpu").manual_seed(seed))


def seed_sequence(first: int, count: int) -> tuple[int, ...]:
    """Return the seeds first, first + 1, ..., modulo 2^32."""
    return tuple((first + k) % (MAX_SEED + 1) for k in range(count))


class Inpainter:
    """A loaded model. `encode` once, then `sample` and `render` candidates as often as you like.

    Images are uint8 [R, R, 3] RGB, holes uint8 [R, R] with anything above 0 meaning "fill this".
    """

    def __init__(
        self,
        model: InpaintingModel,
        info: BundleInfo,
        device: torch.device | str = "cpu",
        dtype: str | None = None,
        vectors: Mapping[str, Tensor] | None = None,
        framer: Framer | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype or best_dtype(self.device)
        self.info = info
        self._model = freeze_for_inference(model, self.device, self.dtype)
        self._passes: Passes = EagerPasses(self._model)
        if self.device.type == "cuda":
            self._passes = GraphedPasses(EagerPasses(self._model), CudaRecorder(self.device))
        self._vectors = dict(vectors or {})
        self.framer = framer  # finds frames in documents; stays on the CPU, where documents are
        config = model.config.generator
        self.resolution, self.num_ws = config.resolution, config.num_ws
        self.w_dim, self.z_dim = config.w_dim, config.z_dim

    @property
    def config(self) -> InpaintingConfig:
        """The sizes of the networks."""
        return self._model.config

    @torch.inference_mode()
    def synthesis(self, ws: Tensor) -> Tensor:
        """Run the generator alone: ws [N, num_ws, w_dim] on the device -> [N, 3, R, R] in -1..1."""
        model = self._model
        images: Tensor = model.generator.synthesis(ws, "const", None, model.precision)
        return images

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The edits that this model offers."""
        return offered(self.info.directions)

    @torch.inference_mode()
    def encode(self, image: ImageU8, hole: MaskU8) -> Encoding:
        """Return what the encoder makes of an image with a hole.

        Args:
            image: uint8 [R, R, 3] RGB; what it has in the hole does not matter.
            hole: uint8 [R, R], above 0 where the image is to be filled.

        Raises:
            ValueError: the shapes are not the model's.
        """
        R = self.resolution
        if image.dtype != np.uint8 or image.shape != (R, R, 3):
            raise ValueError(
                f"the image is {image.dtype} {image.shape}; this model takes uint8 ({R}, {R}, 3)"
            )
        if hole.shape != (R, R):
            raise ValueError(f"the hole is {hole.shape}; this model takes ({R}, {R})")
        return self._passes.encode(
            upload(image[None], self.device), upload(hole[None] > 0, self.device)
        )

    @torch.inference_mode()
    def sample(
        self, encoding: Encoding, seeds: Sequence[int], truncation_psi: float = 1.0
    ) -> CodesF32:
        """Return ws_out [N, num_ws, w_dim] of each seed, before style mixing and edits.

        A seed decides its candidate, whichever others are asked for.

        Args:
            encoding: what `encode` returned.
            seeds: N numbers from 0 to 2^32 - 1.
            truncation_psi: draws the sampled code (not the encoder's) toward the mean: 1 = full
                variety, 0 = none.

        Raises:
            ValueError: a seed is out of range.
        """
        if not seeds:
            return np.zeros((0, self.num_ws, self.w_dim), np.float32)
        latents = torch.stack([latent_of_seed(seed, self.z_dim) for seed in seeds])
        codes = [
            self._passes.code(encoding, z, truncation_psi)
            for z in upload(latents, self.device).split(1)
        ]
        return read_array(torch.cat(codes))

    def invert(self, image: ImageU8, hole: MaskU8 | None = None) -> CodesF32:
        """Return the codes [num_ws, w_dim] of an image, for taking styles from it.

        What the encoder leaves open is the mean face's.

        Args:
            image: uint8 [R, R, 3] RGB.
            hole: uint8 [R, R], above 0 where the image is not known; None: all of it is.

        Raises:
            ValueError: the shapes are not the model's.
        """
        known = np.zeros(image.shape[:2], np.uint8)
        encoding = self.encode(image, known if hole is None else hole)
        codes: CodesF32 = self.sample(encoding, [0], truncation_psi=0.0)[0]
        return codes

    def edit(self, ws_out: CodesF32, edits: Mapping[str, float]) -> CodesF32:
        """Return codes moved along directions, [N, num_ws, w_dim].

        Args:
            ws_out: [N, num_ws, w_dim]; they stay as they are.
            edits: by the directions' names, how far, in units.

        Raises:
            UnknownDirectionError: the model does not offer such a direction.
        """
        edited = np.array(ws_out, dtype=np.float32)
        known = {direction.name: direction for direction in self.directions}
        for name, value in edits.items():
            if name not in known:
                names = ", ".join(known) or "none"
                raise UnknownDirectionError(f"no direction {name!r}; this model has: {names}")
            direction, layers = known[name], list(known[name].layers)
            vector = self._vectors[name].float().numpy()
            vector = np.broadcast_to(vector, (self.num_ws, self.w_dim))
            edited[:, layers] += np.float32(value * direction.unit) * vector[layers]
        return edited

    @torch.inference_mode()
    def render(self, encoding: Encoding, ws_out: CodesF32) -> FloatImage:
        """Return the raw output for each code: float32 [N, R, R, 3], nominally 0..1, sRGB.

        Args:
            encoding: what `encode` returned.
            ws_out: [N, num_ws, w_dim], of `sample` or `edit`.
        """
        ws = upload(np.ascontiguousarray(ws_out, dtype=np.float32), self.device)
        return read_array(self._passes.render(encoding, ws))

    @torch.inference_mode()
    def render_each(self, encodings: Sequence[Encoding], ws_out: CodesF32) -> FloatImage:
        """Return what `render` does, where every code has an encoding of its own.

        Args:
            encodings: N of what `encode` returned.
            ws_out: [N, num_ws, w_dim].
        """
        ws = upload(np.ascontiguousarray(ws_out, dtype=np.float32), self.device)
        return read_array(self._passes.render(Encoding.joined(encodings), ws))

    def fill(
        self,
        image: ImageU8,
        hole: MaskU8,
        seeds: Sequence[int],
        truncation_psi: float = 1.0,
        edits: Mapping[str, float] | None = None,
    ) -> list[Fill]:
        """Return one candidate for each seed.

        Known pixels of a composite are the input's, bit for bit.

        Args:
            image: uint8 [R, R, 3] RGB.
            hole: uint8 [R, R], above 0 where the image is to be filled.
            seeds: numbers from 0 to 2^32 - 1.
            truncation_psi: 1 = full variety, 0 = none.
            edits: by the directions' names, how far, in units.

        Raises:
            ValueError: the shapes are not the model's, or a seed is out of range.
            UnknownDirectionError: the model does not offer such a direction.
        """
        encoding = self.encode(image, hole)
        codes = self.sample(encoding, seeds, truncation_psi)
        fills = []
        for seed, ws_out in zip(seeds, codes, strict=True):
            rendered = self.render(encoding, self.edit(ws_out[None], edits or {}))[0]
            output = np.rint(rendered.clip(0, 1) * 255).astype(np.uint8)
            composite = np.where((hole > 0)[..., None], output, image)
            fills.append(Fill(seed, output, composite, ws_out))
        return fills


def load_bundle(
    path_or_name: str | Path, device: torch.device | str = "cpu", dtype: str | None = None
) -> Inpainter:
    """Return an inpainter of a bundle's folder or a bundled model's name.

    Args:
        path_or_name: the folder, or the name.
        device: where the networks run.
        dtype: "fp32", "bf16", "fp16", or None for what suits the device.

    Raises:
        BundleError: there is no such bundle, or it cannot be used.
    """
    info = read_bundle(find_bundle(path_or_name))
    vectors = load_vectors(info)
    framer = None
    if info.framer is not None:
        framer = framer_from(info.framer, load_tensors(info, ["framer"]))
    return Inpainter(load_model(info), info, device, dtype, vectors, framer)
