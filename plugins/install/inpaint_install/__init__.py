"""Install, check and remove the plug-ins for Krita and GIMP."""
