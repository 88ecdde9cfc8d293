"""What the user sees: GTK dialogs. Imported only where there is a screen."""
