"""Training settings. Lengths are in thousands of images (kimg)."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_model.training.options import option

CUDA_GRAPHS = "Record training steps as CUDA graphs; if that fails, continue without."
MAX_MINUTES = "Save everything and stop after this many minutes; 0 = no limit."
SNAPSHOT_MINUTES = (
    "Minutes between snapshots, which are made at progress reports; 0 = use --snapshot-kimg."
)
PERCEPTUAL_SIDE = (
    "Compare features of images downscaled to this many pixels and of a full-resolution window of "
    "the same size; 0 = of images at full size."
)


@dataclass(frozen=True)
class GeneratorTraining:
    """Settings of a generator training."""

    total_kimg: float = option(25_000.0, "Total length of the training, in thousands of images.")
    max_minutes: float = option(0.0, MAX_MINUTES)
    batch_size: int = option(16, "Batch size over all processes.", least=1)
    seed: int = option(0, "Seed of latents, noise, image order and augmentation.")
    vae_weight: float = option(
        0.0,
        "Weight of the reconstruction loss through a variational encoder; 0 = off.",
        former="autoencoder_weight",
    )
    kl_weight: float = option(
        0.003,
        "Weight of the KL term (per nat), relative to the reconstruction loss.",
        former="price_of_nat",
    )
    perceptual_side: int = option(64, PERCEPTUAL_SIDE)
    reconstruction_only_kimg: float = option(
        0.0,
        "Train first with only the reconstruction loss, for this many thousand images.",
        former="warm_start_kimg",
    )
    d_warmup_kimg: float = option(
        0.0,
        "Then train only the discriminators for this many thousand images, e.g. after growing.",
        former="discriminator_kimg",
    )
    lr: float = option(
        0.0025, "Adam's learning rate of the generator and the StyleGAN2 discriminator."
    )
    lr_discriminator: float | None = option(
        None, "Adam's learning rate of the StyleGAN2 discriminator; None = the same as --lr."
    )
    lr_heads: float = option(0.002, "Adam's learning rate of projected discriminators.")
    heads_augment_p: float = option(
        0.5,
        "Probability of each augmentation (color, translation, cutout) before projected "
        "discriminators.",
    )
    heads_blur_kimg: float = option(
        0.0,
        "Initially blur the images for projected discriminators by 2 px, fading over this many "
        "thousand images; for a start from random weights.",
    )
    r1_gamma: float | None = option(
        None, "Weight of the R1 penalty; None = 0.0002 R^2 / batch size."
    )
    r1_interval: int = option(16, "Steps between R1 penalties (lazy regularization).", least=1)
    pl_weight: float | None = option(
        None, "Weight of path-length regularization; None = 2, 0 with projected discriminators."
    )
    pl_interval: int = option(4, "Steps between path-length penalties.", least=1)
    pl_batch_shrink: int = option(
        2, "Path-length penalties use the batch size divided by this.", least=1
    )
    pl_decay: float = option(0.01, "Decay of the running mean of path lengths.")
    style_mixing_prob: float | None = option(
        None,
        "Share of samples with styles from two latents; None = 0.9, 0 with projected "
        "discriminators.",
    )
    ema_kimg: float = option(5.0, "Half-life of the averaged weights, in thousands of images.")
    random_noise: bool = option(
        True, "Draw new layer noise for every image; off = constant noise, as for filling."
    )
    random_noise_side: int = option(
        4,
        "Smallest layer, in pixels, that gets random noise. Smaller layers keep constant noise, "
        "which can learn positions such as those of eyes.",
    )
    last_noise_strength: float | None = option(
        None,
        "Fixed noise strength of the last layer; None = learned. Projected discriminators do not "
        "see the finest grain and let it fade; 0.035 suits photographs.",
    )
    mirror: bool = option(True, "Mirror images at random.")
    ada_target: float = option(0.6, "Target of adaptive augmentation (ADA); 0 = fixed strength.")
    ada_kimg: float = option(
        500.0, "Shortest time for the ADA strength to rise from 0 to 1, in thousands of images."
    )
    ada_interval: int = option(4, "Steps between adjustments of the ADA strength.", least=1)
    augment_p: float = option(0.0, "Initial strength of augmentation.")
    tick_kimg: float = option(1.0, "Thousands of images between progress reports.")
    snapshot_kimg: float = option(
        10.0, "Thousands of images between snapshots (state, contact sheets, bundle)."
    )
    snapshot_minutes: float = option(0.0, SNAPSHOT_MINUTES)
    bf16: bool = option(False, "Compute convolutions in bfloat16.")
    compile: bool = option(False, "Compile the generator with torch.compile, which takes a minute.")
    cuda_graphs: bool = option(False, CUDA_GRAPHS)

    # Path-length regularization and style mixing are parts of StyleGAN2, not of projected GANs.
    def path_length_weight(self, *, projected: bool) -> float:
        """Return the weight of path-length regularization."""
        default = 0.0 if projected else 2.0
        return self.pl_weight if self.pl_weight is not None else default

    def mixing(self, *, projected: bool) -> float:
        """Return the share of samples with styles from two latents, 0..1."""
        default = 0.0 if projected else 0.9
        return self.style_mixing_prob if self.style_mixing_prob is not None else default


@dataclass(frozen=True)
class InpainterTraining:
    """Settings of an inpainter training."""

    total_kimg: float = option(1000.0, "Total length of the training, in thousands of images.")
    max_minutes: float = option(0.0, MAX_MINUTES)
    batch_size: int = option(
        8, "Images per step over all processes; each is filled twice.", least=1
    )
    seed: int = option(0, "Seed of latents, holes and the order of real images.")
    lr: float = option(1e-4, "Adam's learning rate of encoder, mixer and skip encoder.")
    lr_discriminator: float = option(1e-4, "Adam's learning rate of the discriminator.")
    lr_heads: float = option(0.002, "Adam's learning rate of projected discriminators.")
    heads_augment_p: float = option(
        0.5,
        "Probability of each augmentation (color, translation, cutout) before projected "
        "discriminators.",
    )
    lambda_adversarial: float = option(
        0.08, "Weight of the adversarial loss of the StyleGAN2 discriminator; 0 = do not use it."
    )
    lambda_projected: float = option(
        0.0, "Weight of the adversarial loss of projected discriminators (--feature-networks)."
    )
    lambda_rg: float = option(
        1.0,
        "Weight of L_rg, the loss over all pixels with the image's own code.",
        former="lambda_same",
    )
    lambda_rr: float = option(
        1.0, "Weight of L_rr, the loss over known pixels with another code.", former="lambda_new"
    )
    lambda_coarse: float = option(
        0.0,
        "Weight of a loss that makes fills with other codes keep the original's tones, at 8 px.",
    )
    lambda_whole: float = option(
        0.0,
        "Weight of a loss that makes fills with other codes resemble the original, by the "
        "perceptual distance of complete images.",
    )
    lambda_codes: float = option(
        0.0, "Weight of L_rr for images that the codes generate without the skip encoder."
    )
    lambda_edit: float = option(
        0.0, "Weight of the loss that keeps the skip encoder from cancelling edits."
    )
    perceptual_weight: float = option(1.0, "Weight of the perceptual loss within L_rg and L_rr.")
    perceptual_side: int = option(0, PERCEPTUAL_SIDE)
    r1_gamma: float = option(1.0, "Weight of the R1 penalty.")
    r1_interval: int = option(16, "Steps between R1 penalties.", least=1)
    d_warmup_kimg: float = option(
        10.0,
        "Train only the discriminator, on its new classes, for this many thousand images.",
        former="discriminator_kimg",
    )
    ramp_kimg: float = option(
        40.0, "Then increase the adversarial weight from 0 over this many thousand images."
    )
    real_fraction: float = option(0.0, "Share of real images in the new-code branch.")
    kept_fraction: float = option(
        0.0,
        "Share of holes in which small areas stay known, as eyes and mouth do in selected skin.",
    )
    style_mixing_prob: float = option(0.0, "Share of sampled codes with styles from two latents.")
    edit_std: float = option(
        0.0, "Random shift of W_out in the new-code branch, in standard deviations of w."
    )
    ema_kimg: float = option(10.0, "Half-life of the averaged weights, in thousands of images.")
    tick_kimg: float = option(1.0, "Thousands of images between progress reports.")
    snapshot_kimg: float = option(
        20.0, "Thousands of images between snapshots (state, contact sheets, bundle)."
    )
    snapshot_minutes: float = option(0.0, SNAPSHOT_MINUTES)
    input_threads: int | None = option(
        None, "Threads that draw masks for the next steps; None = 2 with a GPU, otherwise 0."
    )
    bf16: bool = option(False, "Compute convolutions in bfloat16.")
    cuda_graphs: bool = option(False, CUDA_GRAPHS)


@dataclass(frozen=True)
class FramerTraining:
    """Settings of a framer training. Lengths are in thousands of scenes (kimg)."""

    total_kimg: float = option(400.0, "Total length of the training, in thousands of scenes.")
    max_minutes: float = option(0.0, MAX_MINUTES)
    batch_size: int = option(32, "Scenes per step.", least=1)
    seed: int = option(0, "Seed of weights and scenes.")
    lr: float = option(0.001, "AdamW's initial learning rate; it falls to 0 along a cosine.")
    ema_kimg: float = option(3.0, "Half-life of the averaged weights, in thousands of scenes.")
    snapshot_kimg: float = option(5.0, "Thousands of scenes between snapshots.")


@dataclass(frozen=True)
class RefinementTraining:
    """Settings of the training of a refinement network."""

    total_kimg: float = option(100.0, "Total length of the training, in thousands of images.")
    max_minutes: float = option(0.0, MAX_MINUTES)
    batch_size: int = option(8, "Batch size.", least=2)
    crop: int = option(
        128, "Side of the parts of images that it learns from, px; at most the model's.", least=32
    )
    seed: int = option(0, "Seed of weights, image order, holes, codes and augmentation.")
    lr: float = option(0.0002, "Adam's learning rate.")
    lr_heads: float = option(0.001, "Learning rate of the discriminators' heads.")
    lambda_pixels: float = option(2.0, "Weight of the absolute difference from the image.")
    lambda_colors: float = option(
        1.5, "Weight of the difference from the fill in the means over 16 px."
    )
    lambda_features: float = option(
        1.5, "Weight of the difference from the image in the maps of the feature networks."
    )
    lambda_projected: float = option(0.6, "Weight of each of the two discriminators.")
    ramp_kimg: float = option(2.0, "Raise the discriminators' weight from 0 over this length.")
    augment_p: float = option(0.2, "Probability of each augmentation for the discriminators.")
    ema_kimg: float = option(1.0, "Half-life of the averaged weights, in thousands of images.")
    bf16: bool = option(False, "Compute convolutions in bfloat16.")
    snapshot_kimg: float = option(1.0, "Thousands of images between snapshots.")


@dataclass(frozen=True)
class DetailTraining:
    """Settings of the training of a detail network."""

    total_kimg: float = option(200.0, "Total length of the training, in thousands of images.")
    max_minutes: float = option(0.0, MAX_MINUTES)
    batch_size: int = option(8, "Batch size.", least=2)
    crop: int = option(128, "Side of the parts of images that it learns from, px.", least=32)
    seed: int = option(0, "Seed of weights, image order, holes and augmentation.")
    lr: float = option(0.0006, "Adam's learning rate.")
    lr_heads: float = option(0.001, "Learning rate of the discriminator's heads.")
    lambda_pixels: float = option(2.0, "Weight of the absolute difference from the image.")
    lambda_features: float = option(
        1.0, "Weight of the difference from the image in the maps of the feature networks."
    )
    lambda_projected: float = option(0.6, "Weight of the discriminator.")
    ramp_kimg: float = option(5.0, "Raise the discriminator's weight from 0 over this length.")
    augment_p: float = option(0.2, "Probability of each augmentation for the discriminator.")
    ema_kimg: float = option(2.0, "Half-life of the averaged weights, in thousands of images.")
    bf16: bool = option(False, "Compute convolutions in bfloat16.")
    snapshot_kimg: float = option(2.0, "Thousands of images between snapshots.")
