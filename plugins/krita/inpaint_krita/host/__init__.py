"""Krita as the plug-in sees it: its documents, layers, selections, color spaces and Qt.

`document`, `scratch`, `application` and `merging` call Krita; the other modules decide what to ask
of it and run without it. `document_protocol` is what the other rooms know of a document.
"""
