"""Faces in an image, and soft masks of their parts, for selections."""
