"""Whose step is next on which device, the workers that take it, and the queue before them."""
