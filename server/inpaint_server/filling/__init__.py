"""Filling and editing as steps of work, sessions and recipes. No messages, no threads."""
