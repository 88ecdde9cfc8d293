"""Phases of an inpainter training step: functions of tensors that leave gradients."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add

import torch
from torch import Tensor

from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.training import losses
from inpaint_model.training.adversaries import ProjectedAdversary
from inpaint_model.training.edit_loss import edit_loss, moves
from inpaint_model.training.inpainter_step import (
    Batch,
    Fills,
    coarse_loss,
    codes_loss,
    fill_both,
    reconstruction,
    trained_parameters,
    whole_loss,
)
from inpaint_model.training.perceptual_loss import PerceptualLoss
from inpaint_model.training.phases import Tensors
from inpaint_model.training.settings import InpainterTraining

Term = tuple[Tensor | float, Tensor]  # a weight and a loss


@torch.no_grad()
def images_of(model: InpaintingModel, given: Tensors, dtype: torch.dtype) -> Batch:
    """Return the images of a step: generated ones, with a share replaced by photographs.

    `given` has the fields of `InpainterDraws` and perhaps `photographs` [K, 3, R, R]; for
    conditional generators also `labels` (of generated images) and `new labels` (including those of
    photographs), [B, c_dim] each.
    """
    generator, config = model.generator, model.generator.config
    c = None
    if config.c_dim:  # new codes have the class of the image that they fill
        labels, new_labels = given["labels"], given["new labels"]
        c = torch.stack([labels, new_labels, new_labels], dim=1).flatten(0, 1)
    ws = generator.mapping(given["z"].flatten(0, 1), c)
    w_same, w_new, w_other = ws.unflatten(0, (-1, 3)).unbind(1)
    later = torch.arange(config.num_ws, device=ws.device) >= given["mixed_from"]
    w_new = torch.where(later[:, :, None], w_other, w_new)
    same = new = generator.synthesis(w_same, dtype=dtype).float()
    if "photographs" in given:
        new = same.index_copy(0, given["real"], given["photographs"])
    return Batch(same, new, given["hole"], w_same, w_new, given["real"])


def _labels_of_both(given: Tensors) -> Tensor | None:
    """Return the labels of both branches [2 B, c_dim], if any."""
    return torch.cat([given["labels"], given["new labels"]]) if "labels" in given else None


@dataclass(frozen=True)
class InpainterPhases:
    """The losses of a step; each phase returns its metrics."""

    options: InpainterTraining
    model: InpaintingModel
    D: Discriminator | None
    heads: ProjectedAdversary | None
    perceptual: PerceptualLoss
    edited: int  # images for the edit loss

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the convolutions."""
        return torch.bfloat16 if self.options.bf16 else torch.float32

    def generator_step(self, given: Tensors, judged: bool) -> dict[str, Tensor]:
        """Leave the gradient of encoder, mixer and skip encoder; D takes part if `judged`.

        `given` has the inputs of `images_of` and the step's other random choices.
        """
        data = images_of(self.model, given, self.dtype)
        shift = given["shift"] * self.model.w_std if "shift" in given else None
        fills = fill_both(self.model, data, shift)
        terms = self._reconstruct(data, fills, given)
        # The adversarial losses are sums over both branches, hence twice the means.
        both = torch.cat([fills.composite_same, fills.composite_new])
        metrics = {}
        if judged and self.D is not None:
            self.D.requires_grad_(False)
            logits = self.D(both.to(self.dtype), _labels_of_both(given))
            adversarial = 2 * losses.g_nonsaturating(logits)
            weight = self.options.lambda_adversarial * given["ramp"]
            terms["loss_adversarial"] = weight, adversarial
        if self.heads is not None:
            # Computed even at weight 0, since the heads learn from these logits.
            verdict = self.heads.loss(both, given)
            weight = self.options.lambda_projected * given["ramp"]
            terms["loss_projected"] = weight, 2 * verdict.loss
            metrics = verdict.numbers
        loss = reduce(add, (weight * term for weight, term in terms.values()))
        loss.backward(inputs=trained_parameters(self.model))
        metrics = {name: term for name, (_, term) in terms.items()} | metrics
        return {name: x.detach() for name, x in {**metrics, "both": both, "new": data.new}.items()}

    def discriminator_step(self, given: Tensors) -> dict[str, Tensor]:
        """Leave the gradient of D's logistic loss."""
        assert self.D is not None
        self.D.requires_grad_(True)
        fake_logits = self.D(given["both"].to(self.dtype), _labels_of_both(given))
        real_logits = self.D(given["new"].to(self.dtype), given.get("new labels"))
        loss = losses.d_logistic_real(real_logits) + losses.d_logistic_fake(fake_logits)
        (2 * loss).backward()
        return {
            "loss_D": 2 * loss.detach(),
            "sign_real": real_logits.detach().sign().mean(),
            "sign_fake": fake_logits.detach().sign().mean(),
        }

    def r1_step(self, given: Tensors) -> dict[str, Tensor]:
        """Leave the gradient of D's R1 penalty."""
        assert self.D is not None
        self.D.requires_grad_(True)  # since replaying another phase does not set it
        real = given["new"].detach().requires_grad_(True)
        penalty = losses.r1_penalty(self.D(real, given.get("new labels")), real)
        (penalty * (self.options.r1_gamma / 2 * self.options.r1_interval)).backward()
        return {"r1": penalty.detach()}

    def _reconstruct(self, data: Batch, fills: Fills, given: Tensors) -> dict[str, Term]:
        options, perceptual, weight = self.options, self.perceptual, self.options.perceptual_weight
        windows = given.get("window of same"), given.get("window of new")
        same, new = reconstruction(data, fills, perceptual, weight, windows)
        terms: dict[str, Term] = {
            "loss_rg": (options.lambda_rg, same),
            "loss_rr": (options.lambda_rr, new),
        }
        if options.lambda_coarse:
            terms["loss_coarse"] = options.lambda_coarse, coarse_loss(data, fills)
        if options.lambda_whole:
            window = perceptual.windows_on(data.hole, given["places in holes"])
            whole = whole_loss(data, fills, perceptual, window)
            terms["loss_whole"] = options.lambda_whole, whole
        if options.lambda_codes:
            window = given.get("window of codes")
            codes = codes_loss(self.model, data, fills, perceptual, weight, window)
            terms["loss_codes"] = options.lambda_codes, codes
        if options.lambda_edit:
            some = slice(self.edited)
            move = moves(data.w_same[some], data.w_new[some], given["moves"])
            encoding = fills.encoding_new.map(lambda part: part[some])
            kept = edit_loss(self.model, encoding, fills.ws_new[some], move, data.hole[some])
            terms["loss_edit"] = options.lambda_edit, kept
        return terms
