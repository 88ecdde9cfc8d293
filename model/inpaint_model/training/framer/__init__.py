"""Training the framer: scenes to find frames in, and the loop."""
