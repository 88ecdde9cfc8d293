"""Put the plug-ins where Krita and GIMP look for them, check them, and remove them."""
