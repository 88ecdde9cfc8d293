"""Find, measure and store latent directions (section 4: edits on W_out)."""
