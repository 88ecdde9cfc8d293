"""What the artist does and what the docker shows: one state, made by the controller."""
