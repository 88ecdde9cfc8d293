"""The process: its life cycle, address, health, metrics and restarts."""
