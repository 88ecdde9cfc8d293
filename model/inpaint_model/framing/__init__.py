"""The framer: a small network that finds the frame around a selection."""
