"""Application logic: declarations of the procedures; the dialogs without their windows."""
