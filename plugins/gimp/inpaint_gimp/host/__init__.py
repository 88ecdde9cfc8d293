"""GIMP as the plug-in sees it: the image, its pixels and layers, and what a layer remembers."""
