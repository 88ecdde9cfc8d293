"""What a training run is asked to do. Lengths are in thousands of images (kimg)."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_model.training.options import option

CUDA_GRAPHS = "Record the phases of a step as CUDA graphs; where that fails, go on without."
MAX_MINUTES = "Stop, with everything saved, this many minutes after the start; 0 = never."
SNAPSHOT_MINUTES = "Minutes between them instead, at the next line of progress; 0 = by images."
PERCEPTUAL_SIDE = (
    "Compare features of images reduced to this many px, and of a window; 0 = of wholes."
)


@dataclass(frozen=True)
class GeneratorTraining:
    """What one run is asked to do. Lengths are in thousands of images (kimg)."""

    total_kimg: float = option(25_000.0, "Stop after this many thousand images in all.")
    max_minutes: float = option(0.0, MAX_MINUTES)
    batch_size: int = option(16, "Over all processes.", least=1)
    seed: int = option(0, "Of latents, noise, the order of images and augmentation.")
    vae_weight: float = option(
        0.0,
        "Weight of reconstructing real images through a variational encoder; 0 = none.",
        former="autoencoder_weight",
    )
    kl_weight: float = option(
        0.003,
        "Weight of the KL term, per nat, relative to the reconstruction loss.",
        former="price_of_nat",
    )
    perceptual_side: int = option(64, PERCEPTUAL_SIDE)
    reconstruction_only_kimg: float = option(
        0.0,
        "Train with the reconstruction loss alone for this many thousand images first.",
        former="warm_start_kimg",
    )
    d_warmup_kimg: float = option(
        0.0,
        "Then train only the discriminators for this many thousand images, e.g. after growing.",
        former="discriminator_kimg",
    )
    lr: float = option(0.0025, "Adam's learning rate of both networks.")
    lr_discriminator: float | None = option(
        None, "The StyleGAN2 discriminator's, where it differs."
    )
    lr_heads: float = option(0.002, "Adam's learning rate of projected discriminators.")
    heads_augment_p: float = option(
        0.5, "Chance of each augmentation (color, translation, cutout) before them."
    )
    heads_blur_kimg: float = option(
        0.0,
        "Blur what they see at first, by 2 px; the blur fades over this many thousand images. For "
        "a start from random weights.",
    )
    r1_gamma: float | None = option(None, "Weight of R1; None = 0.0002 R^2 / batch.")
    r1_interval: int = option(16, "Steps between R1 penalties (lazy regularization).", least=1)
    pl_weight: float | None = option(
        None, "Weight of path-length regularization; None = 2, 0 with projected discriminators."
    )
    pl_interval: int = option(4, "Steps between path-length penalties.", least=1)
    pl_batch_shrink: int = option(2, "Their share of the batch is 1 / this.", least=1)
    pl_decay: float = option(0.01, "Of the running mean of path lengths.")
    style_mixing_prob: float | None = option(
        None,
        "Share of samples whose styles come from two latents; None = 0.9, 0 with projected "
        "discriminators.",
    )
    ema_kimg: float = option(5.0, "Half-life of the EMA of the weights, in thousands of images.")
    random_noise: bool = option(
        True, "Draw the layers' noise afresh; off: the constant noise that filling uses."
    )
    random_noise_side: int = option(
        4,
        "With random noise: only in layers of this side, px, and more. Smaller layers keep their "
        "constant noise, which may come to say where eyes are.",
    )
    last_noise_strength: float | None = option(
        None,
        "Keep the strength of the last layer's noise at this; None = learn it. Projected "
        "discriminators do not see the finest grain and let it fade; 0.035 suits photographs.",
    )
    mirror: bool = option(True, "Flip images left to right at random.")
    ada_target: float = option(
        0.6, "What the controller aims for; 0 = augmentation of fixed strength."
    )
    ada_kimg: float = option(
        500.0, "Thousands of images in which its strength could go from 0 to 1."
    )
    ada_interval: int = option(4, "Steps between its adjustments.", least=1)
    augment_p: float = option(0.0, "Strength at the start.")
    tick_kimg: float = option(1.0, "Thousands of images between lines of progress.")
    snapshot_kimg: float = option(10.0, "Thousands of images between states, grids and bundles.")
    snapshot_minutes: float = option(0.0, SNAPSHOT_MINUTES)
    bf16: bool = option(False, "Compute the convolutions in bfloat16.")
    compile: bool = option(False, "Compile the generator (torch.compile; takes a minute).")
    cuda_graphs: bool = option(False, CUDA_GRAPHS)

    # Path lengths and mixed styles belong to StyleGAN2's recipe; projected GANs do without.
    def path_length_weight(self, *, projected: bool) -> float:
        """Return the weight of path-length regularization, with or without projected heads."""
        default = 0.0 if projected else 2.0
        return self.pl_weight if self.pl_weight is not None else default

    def mixing(self, *, projected: bool) -> float:
        """Return the share of samples with styles of two latents, 0..1."""
        default = 0.0 if projected else 0.9
        return self.style_mixing_prob if self.style_mixing_prob is not None else default


@dataclass(frozen=True)
class InpainterTraining:
    """What one run is asked to do. Lengths are in thousands of images (kimg)."""

    total_kimg: float = option(1000.0, "Stop after this many thousand images in all.")
    max_minutes: float = option(0.0, MAX_MINUTES)
    batch_size: int = option(8, "Images a step, over all processes; each is filled twice.", least=1)
    seed: int = option(0, "Of latents, holes and the order of real images.")
    lr: float = option(1e-4, "Adam's learning rate of encoder, mixer and skip encoder.")
    lr_discriminator: float = option(1e-4, "Adam's learning rate of the discriminator.")
    lr_heads: float = option(0.002, "Adam's learning rate of projected discriminators.")
    heads_augment_p: float = option(
        0.5, "Chance of each augmentation (color, translation, cutout) before them."
    )
    lambda_adversarial: float = option(
        0.08, "Weight of the adversarial loss by the StyleGAN2 discriminator; 0 = it is left out."
    )
    lambda_projected: float = option(
        0.0, "Weight of the adversarial loss by projected discriminators (--feature-networks)."
    )
    lambda_rg: float = option(
        1.0, "Weight of L_rg: the image's own code, every pixel.", former="lambda_same"
    )
    lambda_rr: float = option(
        1.0, "Weight of L_rr: another code, known pixels.", former="lambda_new"
    )
    lambda_coarse: float = option(
        0.0, "Weight of L_rr's addition: other codes' fills keep the image's tones, at 8 px."
    )
    lambda_whole: float = option(
        0.0,
        "Weight of another addition: other codes' fills resemble the image's own content, by "
        "the perceptual distance of whole images.",
    )
    lambda_codes: float = option(
        0.0, "Weight of L_rr once more, on what the codes generate without the skip encoder."
    )
    lambda_edit: float = option(
        0.0, "Weight of the loss that keeps edits: the skip encoder leaves their change as it is."
    )
    perceptual_weight: float = option(
        1.0, "Of the perceptual part within both reconstruction losses."
    )
    perceptual_side: int = option(0, PERCEPTUAL_SIDE)
    r1_gamma: float = option(1.0, "Weight of R1.")
    r1_interval: int = option(16, "Steps between R1 penalties.", least=1)
    d_warmup_kimg: float = option(
        10.0,
        "Only the discriminator learns, to swap its classes, for this many thousand images.",
        former="discriminator_kimg",
    )
    ramp_kimg: float = option(
        40.0, "Then the adversarial weight rises from 0 over this many thousand images."
    )
    real_fraction: float = option(0.0, "Share of the new-code branch that sees real images.")
    style_mixing_prob: float = option(0.0, "Share of sampled codes that mix two latents.")
    edit_std: float = option(
        0.0, "Random shift of W_out in the new-code branch, in units of w's spread."
    )
    ema_kimg: float = option(
        10.0, "Half-life of the EMA of the trained weights, in thousands of images."
    )
    tick_kimg: float = option(1.0, "Thousands of images between lines of progress.")
    snapshot_kimg: float = option(20.0, "Thousands of images between states, grids and bundles.")
    snapshot_minutes: float = option(0.0, SNAPSHOT_MINUTES)
    input_threads: int | None = option(
        None, "Threads that draw masks for the next steps; None = 2 beside a GPU, otherwise 0."
    )
    bf16: bool = option(False, "Compute the convolutions in bfloat16.")
    cuda_graphs: bool = option(False, CUDA_GRAPHS)


@dataclass(frozen=True)
class FramerTraining:
    """What one run is asked to do. Lengths are in thousands of scenes (kimg)."""

    total_kimg: float = option(400.0, "Stop after this many thousand scenes in all.")
    max_minutes: float = option(0.0, MAX_MINUTES)
    batch_size: int = option(32, "Scenes a step.", least=1)
    seed: int = option(0, "Of weights and scenes.")
    lr: float = option(0.001, "AdamW's learning rate at the start; it falls to 0 along a cosine.")
    ema_kimg: float = option(3.0, "Half-life of the EMA of the weights, in thousands of scenes.")
    snapshot_kimg: float = option(5.0, "Thousands of scenes between states.")
