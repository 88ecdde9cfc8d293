"""Projected discriminators (Sauer et al. 2021, "Projected GANs Converge Faster").

`feature_network` runs a frozen network fast, `projection` mixes its maps, `heads` holds what is
trained, `discriminator` puts them together, `diffaugment` changes images before they are seen.
"""
