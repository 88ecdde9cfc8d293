"""`Inpainter`: a trained model with a numpy interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inpaint_model.bundle.direction_store import load_vectors
from inpaint_model.bundle.directions import Direction, by_name, offered
from inpaint_model.bundle.manifest import BundleInfo, find_bundle, read_bundle
from inpaint_model.bundle.weights import (
    load_detail,
    load_model,
    load_naturalness,
    load_refinement,
    load_tensors,
)
from inpaint_model.data.image_tensors import from_uint8
from inpaint_model.data.transfer import read_array, upload
from inpaint_model.document.arrays import CodesF32, FloatImage, ImageU8, MaskU8
from inpaint_model.framing.network import Framer, framer_from
from inpaint_model.inference.abilities import check_editable
from inpaint_model.inference.assessor import Assessor
from inpaint_model.inference.code_fitting import fitted_offset
from inpaint_model.inference.cuda_graphs import CudaRecorder, GraphedPasses
from inpaint_model.inference.freeze import best_dtype, freeze_for_inference
from inpaint_model.inference.passes import EagerPasses, Passes
from inpaint_model.networks.config import ModelConfig
from inpaint_model.networks.detail_network import DetailNetwork
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel
from inpaint_model.networks.naturalness_head import NaturalnessHead
from inpaint_model.networks.ops import channels_last
from inpaint_model.networks.precision import DTYPES
from inpaint_model.networks.refinement_network import RefinementNetwork

MAX_SEED = 2**32 - 1


class UnknownDirectionError(ValueError):
    """An edit names an unknown direction; the message lists the known ones."""


@dataclass(frozen=True)
class Fill:
    """One candidate."""

    seed: int
    output: ImageU8  # [R, R, 3], raw
    composite: ImageU8  # [R, R, 3], the output in the hole, the input elsewhere
    ws_out: CodesF32  # [num_ws, w_dim], before edits


def latent_of_seed(seed: int, z_dim: int) -> Tensor:
    """Return a seed's z [z_dim], which is the same on all devices.

    Raises:
        ValueError: The seed is not in 0..2^32 - 1.
    """
    if not 0 <= seed <= MAX_SEED:
        raise ValueError(f"seed {seed} is not in 0..{MAX_SEED}")
    return torch.randn(z_dim, generator=torch.Generator("cpu").manual_seed(seed))


def seed_sequence(first: int, count: int) -> tuple[int, ...]:
    """Return the seeds first, first + 1, ..., modulo 2^32."""
    return tuple((first + k) % (MAX_SEED + 1) for k in range(count))


class Inpainter:
    """A loaded model. Call `encode` once per image, then `sample` and `render` for candidates.

    Images are uint8 [R, R, 3] RGB; holes are uint8 [R, R], above 0 where the image is to be filled.
    """

    def __init__(
        self,
        model: InpaintingModel,
        info: BundleInfo,
        device: torch.device | str = "cpu",
        dtype: str | None = None,
        vectors: Mapping[str, Tensor] | None = None,
        framer: Framer | None = None,
        detail: DetailNetwork | None = None,
        refinement: RefinementNetwork | None = None,
        naturalness: NaturalnessHead | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.dtype = dtype or best_dtype(self.device)
        self.info = info
        self._model = freeze_for_inference(model, self.device, self.dtype)
        if refinement is not None:
            refinement = channels_last(refinement.to(self.device, DTYPES[self.dtype]))
        eager = EagerPasses(self._model, refinement)
        self._passes: Passes = eager
        if self.device.type == "cuda":
            self._passes = GraphedPasses(eager, CudaRecorder(self.device))
        self._vectors = dict(vectors or {})
        self.framer, self.detail = framer, detail  # stay on the CPU, like the documents
        if detail is not None:
            detail.to(DTYPES[best_dtype(torch.device("cpu"))])
        self._naturalness = naturalness
        config = model.config.generator
        self.resolution, self.num_ws = config.resolution, config.num_ws
        self.w_dim, self.z_dim = config.w_dim, config.z_dim

    @property
    def config(self) -> ModelConfig:
        """The networks' configuration."""
        return self._model.config

    @cached_property
    def assessor(self) -> Assessor:
        """What judges the fills, if the model is of faces in FFHQ's alignment."""
        return Assessor(self._naturalness)

    @torch.inference_mode()
    def synthesis(self, ws: Tensor) -> Tensor:
        """Run only the generator: ws [N, num_ws, w_dim] on the device -> [N, 3, R, R] in -1..1."""
        model = self._model
        images: Tensor = model.generator.synthesis(ws, "const", None, model.precision)
        return images

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions that the model offers: none if its codes are not the generator's."""
        return offered(self.info.directions) if self.config.abilities.editable else ()

    @torch.inference_mode()
    def encode(self, image: ImageU8, hole: MaskU8) -> Encoding:
        """Encode an image; its content inside the hole is ignored.

        Raises:
            ValueError: The shapes are not the model's.
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
        """Return ws_out [N, num_ws, w_dim] for N seeds, before style mixing and edits.

        A seed's codes do not depend on the others.
        `truncation_psi` applies to the sampled code, not the encoder's: 1 = full variety, 0 = none.

        Raises:
            ValueError: A seed is not in 0..2^32 - 1.
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
        """Return the codes [num_ws, w_dim] of an image, to use its styles.

        The mean code stands in for what the encoder leaves open.

        Raises:
            ValueError: The shapes are not the model's.
        """
        known = np.zeros(image.shape[:2], np.uint8)
        encoding = self.encode(image, known if hole is None else hole)
        codes: CodesF32 = self.sample(encoding, [0], truncation_psi=0.0)[0]
        return codes

    def fitted_offset(
        self, image: ImageU8, hole: MaskU8, encoding: Encoding, steps: int
    ) -> CodesF32:
        """Return what to add to the codes of all candidates to fit the known pixels better.

        The offset [num_ws, w_dim] is fitted to the mean candidate, so that candidates still differ.

        Raises:
            ValueError: The model's codes are not the generator's.
        """
        if not self.config.abilities.editable:
            raise ValueError(f"the codes of {self.info.shown_name} cannot be fitted to an image")
        mean = torch.from_numpy(self.sample(encoding, [0], truncation_psi=0.0)).to(self.device)
        seen = from_uint8(upload(image[None], self.device))
        offset: CodesF32 = fitted_offset(self._model, seen, hole, mean, steps)[0].cpu().numpy()
        return offset

    def edit(self, ws_out: CodesF32, edits: Mapping[str, float]) -> CodesF32:
        """Return codes [N, num_ws, w_dim] moved along directions by name, in units.

        Raises:
            RefusalError: The model's candidates cannot be edited.
            UnknownDirectionError: The model does not offer a direction.
        """
        if edits:
            check_editable(self.config.abilities, self.info.shown_name)
        edited = np.array(ws_out, dtype=np.float32)
        known = by_name(self.directions)
        for name, value in edits.items():
            if name not in known:
                names = ", ".join(direction.name for direction in self.directions) or "none"
                raise UnknownDirectionError(f"no direction {name!r}; this model has: {names}")
            direction, layers = known[name], list(known[name].layers)
            vector = self._vectors[direction.name].float().numpy()
            vector = np.broadcast_to(vector, (self.num_ws, self.w_dim))
            edited[:, layers] += np.float32(value * direction.unit) * vector[layers]
        return edited

    @torch.inference_mode()
    def render(self, encoding: Encoding, ws_out: CodesF32) -> FloatImage:
        """Return raw outputs [N, R, R, 3], nominally 0..1, for codes [N, num_ws, w_dim]."""
        ws = upload(np.ascontiguousarray(ws_out, dtype=np.float32), self.device)
        return read_array(self._passes.render(encoding, ws))

    @torch.inference_mode()
    def render_each(self, encodings: Sequence[Encoding], ws_out: CodesF32) -> FloatImage:
        """Render codes as `render` does, with one encoding per code."""
        ws = upload(np.ascontiguousarray(ws_out, dtype=np.float32), self.device)
        return read_array(self._passes.render(Encoding.joined(encodings), ws))

    def fill(
        self,
        image: ImageU8,
        hole: MaskU8,
        seeds: Sequence[int],
        truncation_psi: float = 1.0,
        edits: Mapping[str, float] | None = None,
        fit_steps: int = 0,
    ) -> list[Fill]:
        """Return one candidate per seed, as `sample`, `edit` and `render` make them.

        Known pixels stay unchanged bit for bit. With `fit_steps`, the codes are first fitted to
        them (`fitted_offset`).

        Raises:
            ValueError: A shape is not the model's, a seed is out of range, or the model's codes
                cannot be fitted.
            UnknownDirectionError: The model does not offer a direction.
        """
        encoding = self.encode(image, hole)
        codes = self.sample(encoding, seeds, truncation_psi)
        if fit_steps:
            codes = codes + self.fitted_offset(image, hole, encoding, fit_steps)
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
    """Load a bundle from its folder, or a bundled model by its name.

    `dtype` is "fp32", "bf16" or "fp16"; None selects the fastest on the device.

    Raises:
        BundleError: It does not exist or cannot be used.
    """
    info = read_bundle(find_bundle(path_or_name))
    vectors = load_vectors(info)
    framer = None
    if info.framer is not None:
        framer = framer_from(info.framer, load_tensors(info, ["framer"]))
    return Inpainter(
        load_model(info),
        info,
        device,
        dtype,
        vectors,
        framer=framer,
        detail=load_detail(info),
        refinement=load_refinement(info),
        naturalness=load_naturalness(info),
    )
