"""One fill or edit from start to end: arguments, reading, the daemon, layers to insert."""
