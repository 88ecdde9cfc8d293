"""A document: what the model sees of it, and how a fill goes back into it. No networks."""
