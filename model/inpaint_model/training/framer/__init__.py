"""Training of the framer."""
