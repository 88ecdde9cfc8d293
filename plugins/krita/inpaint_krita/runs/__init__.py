"""One fill or edit from start to end: read, ask the daemon, write into layers, remember."""
