"""The daemon process: its lifecycle, address, health, metrics and restarts."""
