"""One step of an adversary by hand."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.training import losses
from inpaint_model.training.adversaries import Moment, ProjectedAdversary
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.progress import Stats
from inpaint_model.training.projected.diffaugment import (
    blurred,
    changed,
    gaussian_taps,
    random_changes,
)
from inpaint_model.training.randomness import generator_for
from short_trainings import TORCHSCRIPT, rand
from tiny_feature_networks import tiny_projected
from torch import Tensor, nn


class TestProjectedAdversary:
    """One step by hand: whose gradient comes from where, and when."""

    pytestmark = TORCHSCRIPT

    def adversary(self, network: Path) -> ProjectedAdversary:
        P = tiny_projected(network).train()
        P.calibrate(rand(8, 3, 32, 32))
        return ProjectedAdversary(P, 0.01, 0.7, 1.0, 3, Stats(), DistributedContext())

    @pytest.mark.slow
    def test_gradients_go_where_they_belong(self, network: Path) -> None:
        adversary, now = self.adversary(network), Moment(40, 5)
        reference = copy.deepcopy(adversary.network)
        G = nn.Parameter(rand(4, 3, 32, 32))
        never_reached = nn.Parameter(torch.zeros(2))
        real = rand(4, 3, 32, 32, seed=1)

        def augmented(images: Tensor, purpose: str) -> Tensor:
            images = blurred(images, gaussian_taps(2 * (1 - 40 / 1000)))
            generator = generator_for(3, 40, f"projected {purpose} 0")
            return changed(images, random_changes(len(images), generator), 0.7)

        heads = list(reference.heads.parameters())
        logits = reference(augmented(G, "fake"))
        on_fakes = torch.autograd.grad(losses.d_hinge_fake(logits), heads, retain_graph=True)
        (for_G,) = torch.autograd.grad(losses.g_hinge(logits), G)
        real_logits = reference(augmented(real, "real"))
        on_both = torch.autograd.grad(losses.d_hinge_real(real_logits), heads)
        on_both = tuple(x + y for x, y in zip(on_fakes, on_both, strict=True))

        def grads() -> list[Tensor]:
            found = [p.grad for p in adversary.network.heads.parameters()]
            return [gradient.clone() for gradient in found if gradient is not None]

        loss, said = adversary.loss(G, adversary.random_inputs(now, len(G)))
        assert G.grad is None  # the heads' gradient stays with the heads
        for found, wanted in zip(grads(), on_fakes, strict=True):
            torch.testing.assert_close(found, wanted)
        loss.backward(inputs=[G, never_reached])
        assert G.grad is not None
        torch.testing.assert_close(G.grad, for_G)
        assert never_reached.grad is None
        for found, wanted in zip(grads(), on_fakes, strict=True):
            torch.testing.assert_close(found, wanted)  # and the generator's with the generator
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward(inputs=[G])  # nothing keeps the graph

        before = [p.detach().clone() for p in adversary.network.heads.parameters()]
        buffers = {n: x.clone() for n, x in adversary.network.projections.state_dict().items()}
        adversary.learn(now, real, said)
        torch.testing.assert_close(G.grad, for_G)
        for found, wanted in zip(grads(), on_both, strict=True):
            torch.testing.assert_close(found, wanted)
        after = list(adversary.network.heads.parameters())
        assert all(not torch.equal(x, y) for x, y in zip(before, after, strict=True))
        now_buffers = adversary.network.projections.state_dict()
        assert all(torch.equal(x, now_buffers[name]) for name, x in buffers.items())

    def test_heads_learn_from_images_without_a_graph(self, network: Path) -> None:
        """While the generator waits its images carry none; the step is the same."""
        fake, real, states = rand(4, 3, 32, 32), rand(4, 3, 32, 32, seed=1), []
        for fakes in (fake, fake.clone().requires_grad_(True)):
            adversary = self.adversary(network)
            verdict = adversary.loss(fakes, adversary.random_inputs(Moment(0, 0), len(fakes)))
            adversary.learn(Moment(0, 0), real, verdict.numbers)
            states.append(adversary.network.state_dict())
        assert all(torch.equal(x, states[1][name]) for name, x in states[0].items())

    @pytest.mark.slow
    def test_heads_tell_what_differs(self, network: Path) -> None:
        """Their loss falls below that of guessing, 2: noise is not what blobs are."""
        stats = Stats()
        adversary = ProjectedAdversary(
            self.adversary(network).network, 0.01, 0.5, 0.0, 3, stats, DistributedContext()
        )
        means = []
        for step in range(40):
            real = F.interpolate(rand(8, 3, 4, 4, seed=step), size=(32, 32), mode="bilinear")
            now, fake = Moment(8 * step, step), rand(8, 3, 32, 32, seed=100 + step)
            verdict = adversary.loss(fake, adversary.random_inputs(now, 8))
            adversary.learn(now, real, verdict.numbers)
            means.append(stats.take(Path("state"), 0))
        last = {name: sum(m[name] for m in means[-8:]) / 8 for name in means[0]}
        assert means[0]["loss_heads"] > 1.9
        assert last["loss_heads"] < 1.8
        assert last["logits_real"] > last["logits_fake"] + 0.4

    def test_learning_needs_something_seen(self, network: Path) -> None:
        adversary = self.adversary(network)
        with pytest.raises(RuntimeError, match="call it first"):
            adversary.learn(Moment(0, 0), rand(4, 3, 32, 32), {})
