"""The GIMP 3 plug-in: select, fill with Inpaint (StyleGAN), and layers arrive.

`host` is GIMP, `runs` a fill or an edit, `app` what the dialogs decide, `ui` the dialogs; `actions`
says what each procedure does and `plugin` registers them. The plug-in needs the standard library,
PyGObject and the vendored `inpaint_client`, on Python 3.10 to 3.14.
"""
