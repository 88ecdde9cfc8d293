"""The GIMP 3 plug-in: select, fill with Inpaint (StyleGAN), and layers arrive.

`image`, `progress`, `preview`, `procedures`, `reopen`, `runs`, `plugin` and the dialogs touch GIMP
and GTK; all other modules hold the decisions and run without a host. The plug-in needs the standard
library, PyGObject and the vendored `inpaint_client`, on Python 3.10 to 3.14.
"""
