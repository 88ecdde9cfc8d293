"""Training of the refinement network on fills of the model that it belongs to."""
