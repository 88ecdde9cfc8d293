"""Projected discriminators (Sauer et al. 2021, "Projected GANs Converge Faster").

`feature_network` runs a frozen network fast, `projection` mixes its maps, `heads` has the trained
part, `discriminator` combines them, `diffaugment` augments the images.
"""
