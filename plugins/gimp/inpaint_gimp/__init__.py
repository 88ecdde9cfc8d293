"""The GIMP 3 plug-in: fill a selection with Inpaint (StyleGAN) and insert the candidates as layers.

`host` adapts GIMP, `runs` runs a fill or an edit, `app` holds the logic of the dialogs and `ui` the
dialogs. `actions` implements the procedures and `plugin` registers them. The plug-in requires the
standard library, PyGObject and the vendored `inpaint_client`, on Python 3.10 to 3.14.
"""
