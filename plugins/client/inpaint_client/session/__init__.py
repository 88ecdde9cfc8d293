"""The editor-independent core of the plug-ins, between the user interface and the client.

The plug-ins for Krita and GIMP share it: style mixing, live edits with sliders, the status of a
run, the history of fills in a document, and the catalogs of translated texts.
"""
