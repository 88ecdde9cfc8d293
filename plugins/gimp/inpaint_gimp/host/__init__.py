"""GIMP as the plug-in sees it: the image, its pixels and layers, and the data stored in layers."""
