"""GTK dialogs. Imported only if there is a display."""
