"""Application logic: the declarations of the procedures, and the presenter of the dialogs."""
