"""What an editor's plug-in does between its user and the client, without an editor.

Krita's and GIMP's plug-ins share it: what is mixed in, which rendering a slider asks for next, how
far a run is, what a document remembers of its fills, and the catalogs of translated texts.
"""
