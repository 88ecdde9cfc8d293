"""The Krita plug-in."""
