"""What judges a generator's pictures while it learns to make them.

The StyleGAN2 discriminator and projected discriminators learn at different moments of a step and
from different losses; here they have one form, so that a training can have either, or both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from inpaint_model.augment import AdaController, AugmentPipe
from inpaint_model.discriminator import Discriminator
from inpaint_model.projected.blur import fading_sigma, gaussian_blur
from inpaint_model.projected.diffaugment import diff_augment
from inpaint_model.projected.discriminator import ProjectedDiscriminator
from inpaint_model.readback import read_scalars
from inpaint_model.training import losses
from inpaint_model.training.distributed import World
from inpaint_model.training.optimizers import lazy_adam
from inpaint_model.training.progress import Stats
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.settings import GeneratorTraining

BLUR = 2.0  # px, of what projected discriminators see at first


class Moment(NamedTuple):
    """Where a training is: images and steps so far. Random numbers depend on the first."""

    nimg: int
    step: int


class Adversary(Protocol):
    """One judge of pictures, its optimizer, and how the two learn."""

    name: str  # in the run's state

    @property
    def network(self) -> nn.Module:
        """Return the judge itself."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Return what steps its trained parameters."""

    def prepare(self, now: Moment, real: Tensor) -> None:
        """Learn from real pictures [N, 3, R, R] before the generator's step, if this kind does."""

    def loss(self, now: Moment, fake: Tensor) -> Tensor:
        """Return what the generator minimizes for its pictures [N, 3, R, R], a scalar.

        Its gradient belongs to the pictures: call `backward` with the generator's parameters as
        `inputs`, so that none of it reaches the adversary's.
        """

    def learn(self, now: Moment, real: Tensor) -> None:
        """Learn after the generator's step from what `loss` saw last, if this kind does."""

    def numbers(self) -> dict[str, Any]:
        """Return what the run's state holds besides tensors."""

    def restore(self, numbers: dict[str, Any]) -> None:
        """Take over what `numbers` returned."""


class StyleGAN2Adversary:
    """The StyleGAN2 discriminator: logistic loss, lazy R1, adaptive augmentation.

    It learns before the generator does, from pictures that the generator draws for it.
    """

    name = "D"

    def __init__(
        self,
        D: Discriminator,
        options: GeneratorTraining,
        draw: Callable[[], Tensor],
        dtype: torch.dtype,
        stats: Stats,
        world: World,
    ) -> None:
        """draw: new pictures of the generator [N, 3, R, R]. dtype: of the convolutions."""
        self.network, self.options = D, options
        self.optimizer = lazy_adam(
            D.parameters(), options.lr_discriminator or options.lr, options.r1_interval
        )
        self.augment = AugmentPipe(options.augment_p)
        self.ada = AdaController(options.ada_target, options.ada_kimg, options.augment_p)
        R = D.config.resolution
        gamma = options.r1_gamma
        self.gamma = gamma if gamma is not None else 0.0002 * R * R / options.batch_size
        self._draw, self._dtype, self._stats, self._world = draw, dtype, stats, world

    def prepare(self, now: Moment, real: Tensor) -> None:
        D, stats = self.network, self._stats
        D.requires_grad_(True)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            fake = self._draw()
        fake_logits = D(self._augmented(now, fake, "D fake").to(self._dtype))
        real_logits = D(self._augmented(now, real, "D real").to(self._dtype))
        d_fake = losses.d_logistic_fake(fake_logits)
        d_real = losses.d_logistic_real(real_logits)
        (d_fake + d_real).backward()
        self._step()
        self.ada.observe(real_logits)
        stats.add("loss_d", d_fake + d_real)
        stats.add("sign_real", real_logits.sign().mean())
        stats.add("sign_fake", fake_logits.sign().mean())
        if now.step % self.options.r1_interval == 0:
            self.optimizer.zero_grad(set_to_none=True)
            seen = real.clone().requires_grad_(True)
            penalty = losses.r1_penalty(D(self._augmented(now, seen, "D real")), seen)
            (penalty * (self.gamma / 2 * self.options.r1_interval)).backward()
            self._step()
            stats.add("r1", penalty)
        stats.add("augment_p", self.augment.p)
        if self.options.ada_target and (now.step + 1) % self.options.ada_interval == 0:
            self.ada.update()
            self.augment.p = self.ada.p

    def loss(self, now: Moment, fake: Tensor) -> Tensor:
        self.network.requires_grad_(False)
        logits = self.network(self._augmented(now, fake, "G").to(self._dtype))
        return losses.g_nonsaturating(logits)

    def learn(self, now: Moment, real: Tensor) -> None:
        """Nothing: it has learned in `prepare`."""

    def numbers(self) -> dict[str, Any]:
        (sign_sum,) = read_scalars(self.ada.sign_sum)
        return {
            "p": self.ada.p,
            "sign_sum": sign_sum,
            "sign_count": self.ada.sign_count,
        }

    def restore(self, numbers: dict[str, Any]) -> None:
        if self.options.ada_target:
            self.ada = AdaController(self.options.ada_target, self.options.ada_kimg, **numbers)
            self.augment.p = self.ada.p

    def _augmented(self, now: Moment, images: Tensor, purpose: str) -> Tensor:
        name = f"{purpose} augment {self._world.rank}"
        return self.augment(images, generator_for(self.options.seed, now.nimg, name))

    def _step(self) -> None:
        self._world.average_gradients(self.network.parameters())
        self.optimizer.step()


class ProjectedAdversary:
    """Projected discriminators: hinge loss, differentiable augmentation, no regularization.

    They learn from the very pictures and logits that the generator learns from: neither the
    pictures nor their features are computed twice. The gradient for generated pictures is taken in
    `loss`, before the generator's own frees the graph; `learn` adds the one for real pictures. Each
    process normalizes by the statistics of its own share of the batch.
    """

    name = "P"

    def __init__(
        self,
        P: ProjectedDiscriminator,
        lr: float,
        augment_p: float,
        blur_kimg: float,
        seed: int,
        stats: Stats,
        world: World,
    ) -> None:
        """lr: Adam's learning rate of the heads. augment_p: chance of each augmentation, 0..1.

        blur_kimg: thousands of images over which the blur of what they see fades; 0 = none.
        """
        self.network = P
        self.optimizer = lazy_adam(P.trained_parameters(), lr, None)
        self._augment_p, self._blur_kimg = augment_p, blur_kimg
        self._seed, self._stats, self._world = seed, stats, world
        self._d_fake: Tensor | None = None

    def prepare(self, now: Moment, real: Tensor) -> None:
        """Nothing: it learns in `learn`."""

    def loss(self, now: Moment, fake: Tensor) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.network(self._augmented(now, fake, "fake"))
        d_fake = losses.d_hinge_fake(logits)
        d_fake.backward(inputs=self.network.trained_parameters(), retain_graph=True)
        self._d_fake = d_fake.detach()
        self._stats.add("logits_fake", logits.mean())
        return losses.g_hinge(logits)

    def learn(self, now: Moment, real: Tensor) -> None:
        d_fake, self._d_fake = self._d_fake, None
        if d_fake is None:
            raise RuntimeError("projected discriminators learn from what `loss` saw: call it first")
        parameters = self.network.trained_parameters()
        with torch.no_grad():
            features = self.network.features(self._augmented(now, real, "real"))
        real_logits = self.network.judge(features)
        d_real = losses.d_hinge_real(real_logits)
        d_real.backward(inputs=parameters)
        self._world.average_gradients(parameters)
        self.optimizer.step()
        self._stats.add("loss_heads", d_fake + d_real)
        self._stats.add("logits_real", real_logits.mean())

    def numbers(self) -> dict[str, Any]:
        return {}

    def restore(self, numbers: dict[str, Any]) -> None:
        """Nothing: all there is are tensors."""

    def _augmented(self, now: Moment, images: Tensor, purpose: str) -> Tensor:
        name = f"projected {purpose} {self._world.rank}"
        images = gaussian_blur(images, fading_sigma(BLUR, now.nimg, self._blur_kimg))
        return diff_augment(images, generator_for(self._seed, now.nimg, name), self._augment_p)
