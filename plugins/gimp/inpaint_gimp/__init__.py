"""The GIMP 3 plug-in."""
