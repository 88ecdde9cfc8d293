"""Run a fill or an edit: arguments, reading, the daemon, the layers to insert."""
