"""Training: one readable loop each for the generator and the inpainting model."""
