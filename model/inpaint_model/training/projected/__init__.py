"""Projected discriminators (Sauer et al. 2021, "Projected GANs Converge Faster")."""
