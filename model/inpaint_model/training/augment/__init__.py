"""Adaptive discriminator augmentation (Karras et al. 2020)."""
