"""Training of the framer: scenes in which to find frames, and the loop."""
