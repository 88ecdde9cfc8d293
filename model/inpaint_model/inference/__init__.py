"""Filling with a trained model: numpy arrays in, numpy arrays out."""
