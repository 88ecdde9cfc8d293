"""Inference with a trained model on numpy arrays."""
