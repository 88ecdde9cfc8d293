"""Finding, measuring and keeping latent directions (section 4: edits on W_out)."""
