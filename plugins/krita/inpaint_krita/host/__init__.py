"""Krita as the plug-in sees it: documents, layers, selections, color spaces and Qt.

`document`, `scratch`, `application` and `merging` call Krita. The other modules make decisions and
run without Krita. Other packages see a document only through `document_protocol`.
"""
