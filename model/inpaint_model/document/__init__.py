"""Documents: what the model sees of them, and how fills are blended in. No networks."""
