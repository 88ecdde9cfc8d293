"""Training loops of the generator, the inpainting model, and the networks added to it."""
