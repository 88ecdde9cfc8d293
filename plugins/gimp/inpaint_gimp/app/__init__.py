"""What GIMP and the dialogs ask for: the procedures, and the state that a dialog shows."""
