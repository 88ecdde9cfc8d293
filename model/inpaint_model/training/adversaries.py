"""One interface for StyleGAN2 and projected discriminators, so that a training can use both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from inpaint_model.data.transfer import read_scalars, upload
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.training import losses
from inpaint_model.training.augment.pipe import AdaController, AugmentPipe
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.optimizers import lazy_adam
from inpaint_model.training.phases import Graphs, Phase, Tensors
from inpaint_model.training.progress import Stats
from inpaint_model.training.projected.diffaugment import (
    blurred,
    changed,
    fading_sigma,
    gaussian_taps,
    random_changes,
)
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.settings import GeneratorTraining

BLUR = 2.0  # px, initial blur for projected discriminators
_REACH = round(3 * BLUR)  # px, of its taps throughout


class Moment(NamedTuple):
    """Images and steps so far."""

    nimg: int
    step: int


class Verdict(NamedTuple):
    """An adversary's result for the generator's images; all scalars."""

    loss: Tensor  # the generator's
    numbers: dict[str, Tensor]  # metrics without gradient


class Adversary(Protocol):
    """A discriminator with its optimizer and its way of learning."""

    name: str  # in the state file
    recordable: bool  # whether a CUDA graph can record `loss`

    @property
    def network(self) -> nn.Module:
        """The discriminator."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer of its trained parameters."""

    @property
    def trained_in_loss(self) -> list[nn.Parameter]:
        """The parameters for which `loss` leaves a gradient."""

    def prepare(self, now: Moment, real: Tensor, labels: Tensor | None = None) -> None:
        """Learn from images [N, 3, R, R] and labels [N, c_dim] before the generator's step."""

    def random_inputs(self, now: Moment, count: int) -> dict[str, Tensor]:
        """Return the random inputs of `loss`."""

    def loss(self, fake: Tensor, random_inputs: Tensors) -> Verdict:
        """Return the generator's loss for its images [N, 3, R, R].

        `random_inputs` includes their `labels` [N, c_dim], if any. Call `backward` with the
        generator's parameters as `inputs`, so that the adversary's get no gradient.
        """

    def learn(self, now: Moment, real: Tensor, numbers: Tensors) -> None:
        """Learn after the generator's step; `numbers` has the metrics of the last `loss`."""

    def numbers(self) -> dict[str, Any]:
        """Return the state other than tensors."""

    def restore(self, numbers: dict[str, Any]) -> None:
        """Restore the result of `numbers`."""


class StyleGAN2Adversary:
    """The StyleGAN2 discriminator: logistic loss, lazy R1, adaptive augmentation.

    It learns before the generator, from images generated for it. CUDA graphs cannot record it,
    because each augmentation applies to a random number of images.
    """

    name, recordable = "D", False

    def __init__(
        self,
        D: Discriminator,
        options: GeneratorTraining,
        draw: Callable[[Moment], tuple[Tensor, Tensor | None]],
        dtype: torch.dtype,
        stats: Stats,
        world: DistributedContext,
    ) -> None:
        """Wrap D, already on its device; `draw` generates images and labels."""
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

    @property
    def trained_in_loss(self) -> list[nn.Parameter]:
        """Return none."""
        return []

    def prepare(self, now: Moment, real: Tensor, labels: Tensor | None = None) -> None:
        """Learn from real images and as many generated ones."""
        D, stats = self.network, self._stats
        D.requires_grad_(True)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            fake, asked = self._draw(now)
        fake_logits = D(self._augmented(now, fake, "D fake").to(self._dtype), asked)
        real_logits = D(self._augmented(now, real, "D real").to(self._dtype), labels)
        d_fake = losses.d_logistic_fake(fake_logits)
        d_real = losses.d_logistic_real(real_logits)
        (d_fake + d_real).backward()
        self._world.step(self.optimizer, D.parameters())
        self.ada.observe(real_logits)
        stats.add("loss_d", d_fake + d_real)
        stats.add("sign_real", real_logits.sign().mean())
        stats.add("sign_fake", fake_logits.sign().mean())
        if now.step % self.options.r1_interval == 0:
            self.optimizer.zero_grad(set_to_none=True)
            seen = real.clone().requires_grad_(True)
            penalty = losses.r1_penalty(D(self._augmented(now, seen, "D real"), labels), seen)
            (penalty * (self.gamma / 2 * self.options.r1_interval)).backward()
            self._world.step(self.optimizer, D.parameters())
            stats.add("r1", penalty)
        stats.add("augment_p", self.augment.p)
        if self.options.ada_target and (now.step + 1) % self.options.ada_interval == 0:
            self.ada.update()
            self.augment.p = self.ada.p

    def random_inputs(self, now: Moment, count: int) -> dict[str, Tensor]:
        """Return the augmentation's seed, on the CPU."""
        return {"D seed": torch.tensor(self._generator(now, "G").initial_seed())}

    def loss(self, fake: Tensor, random_inputs: Tensors) -> Verdict:
        """Return the generator's logistic loss."""
        self.network.requires_grad_(False)
        generator = torch.Generator().manual_seed(int(random_inputs["D seed"]))
        seen = self.augment(fake, generator).to(self._dtype)
        logits = self.network(seen, random_inputs.get("labels"))
        return Verdict(losses.g_nonsaturating(logits), {})

    def learn(self, now: Moment, real: Tensor, numbers: Tensors) -> None:
        """Do nothing."""

    def numbers(self) -> dict[str, Any]:
        """Return the augmentation's state."""
        (sign_sum,) = read_scalars(self.ada.sign_sum)
        return {
            "p": self.ada.p,
            "sign_sum": sign_sum,
            "sign_count": self.ada.sign_count,
        }

    def restore(self, numbers: dict[str, Any]) -> None:
        """Restore the augmentation's state."""
        if self.options.ada_target:
            self.ada = AdaController(self.options.ada_target, self.options.ada_kimg, **numbers)
            self.augment.p = self.ada.p

    def _augmented(self, now: Moment, images: Tensor, purpose: str) -> Tensor:
        return self.augment(images, self._generator(now, purpose))

    def _generator(self, now: Moment, purpose: str) -> torch.Generator:
        name = f"{purpose} augment {self._world.rank}"
        return generator_for(self.options.seed, now.nimg, name)


class ProjectedAdversary:
    """Projected discriminators: hinge loss, differentiable augmentation, no regularization.

    They learn from the images and logits of the generator's loss, which are computed only once:
    `loss` leaves their gradient, before the generator's backward pass frees the graph, and `learn`
    adds that for real images. Each process has its own batch statistics.
    """

    name, recordable = "P", True

    def __init__(
        self,
        P: ProjectedDiscriminator,
        lr: float,
        augment_p: float,
        blur_kimg: float,
        seed: int,
        stats: Stats,
        world: DistributedContext,
        graphs: Graphs | None = None,
    ) -> None:
        """Wrap P, already on its device.

        The blur fades over `blur_kimg` thousand images. `graphs` records `learn`.
        """
        self.network = P
        self._parameters = P.trained_parameters()
        self.optimizer = lazy_adam(self._parameters, lr, None)
        self._augment_p, self._blur_kimg = augment_p, blur_kimg
        self._seed, self._stats, self._world = seed, stats, world
        self._device = self._parameters[0].device
        self._on_real = Phase(self._learn_real, self._parameters, graphs)

    @property
    def trained_in_loss(self) -> list[nn.Parameter]:
        """Return the parameters of the heads."""
        return self._parameters

    def prepare(self, now: Moment, real: Tensor, labels: Tensor | None = None) -> None:
        """Do nothing."""

    def random_inputs(self, now: Moment, count: int) -> dict[str, Tensor]:
        """Return the augmentation's choices, and the blur's taps, if any."""
        return self._random_inputs(now, count, "fake")

    def loss(self, fake: Tensor, random_inputs: Tensors) -> Verdict:
        """Return the generator's hinge loss, and leave the heads' gradient."""
        for parameter in self._parameters:
            parameter.grad = None
        logits = self.network(self._seen(fake, random_inputs))
        d_fake = losses.d_hinge_fake(logits)
        d_fake.backward(inputs=self._parameters, retain_graph=True)
        numbers = {"logits_fake": logits.detach().mean(), "loss_heads": d_fake.detach()}
        return Verdict(losses.g_hinge(logits), numbers)

    def learn(self, now: Moment, real: Tensor, numbers: Tensors) -> None:
        """Add the gradient for real images to that of `loss`, and step.

        Raises:
            RuntimeError: `loss` was not called first.
        """
        on_fakes = [p.grad for p in self._parameters if p.grad is not None]
        if len(on_fakes) < len(self._parameters):
            raise RuntimeError("projected discriminators learn from `loss`: call it first")
        metrics = self._on_real({"real": real, **self._random_inputs(now, len(real), "real")})
        on_reals = [p.grad for p in self._parameters if p.grad is not None]
        torch._foreach_add_(on_reals, on_fakes)
        self._world.step(self.optimizer, self._parameters)
        self._stats.add("loss_heads", numbers["loss_heads"] + metrics["loss"])
        self._stats.add("logits_fake", numbers["logits_fake"])
        self._stats.add("logits_real", metrics["logits"])

    def numbers(self) -> dict[str, Any]:
        """Return nothing: all state is tensors."""
        return {}

    def restore(self, numbers: dict[str, Any]) -> None:
        """Do nothing."""

    def _learn_real(self, inputs: Tensors) -> dict[str, Tensor]:
        with torch.no_grad():
            features = self.network.features(self._seen(inputs["real"], inputs))
        logits = self.network.judge(features)
        loss = losses.d_hinge_real(logits)
        loss.backward(inputs=self._parameters)
        return {"loss": loss.detach(), "logits": logits.detach().mean()}

    def _random_inputs(self, now: Moment, count: int, purpose: str) -> dict[str, Tensor]:
        name = f"projected {purpose} {self._world.rank}"
        drawn = random_changes(count, generator_for(self._seed, now.nimg, name))
        taps = gaussian_taps(fading_sigma(BLUR, now.nimg, self._blur_kimg), _REACH)
        random_inputs = {"P changes": upload(drawn, self._device)}
        return (
            random_inputs
            if taps is None
            else random_inputs | {"P taps": upload(taps, self._device)}
        )

    def _seen(self, images: Tensor, random_inputs: Tensors) -> Tensor:
        images = blurred(images, random_inputs.get("P taps"))
        return changed(images, random_inputs["P changes"], self._augment_p)
