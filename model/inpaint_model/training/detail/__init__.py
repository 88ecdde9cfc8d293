"""Training of the detail network."""
