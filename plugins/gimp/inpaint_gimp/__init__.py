"""The GIMP 3 plug-in: select, fill with Inpaint (StyleGAN), and layers arrive.

`plugin`, `procedures`, `image`, `dialog`, `preview` and `strip` touch GIMP and GTK; the other modules
hold the decisions and run without a host. All of it runs on the standard library, PyGObject and the
vendored `inpaint_client`, on Python 3.10 to 3.14.
"""
