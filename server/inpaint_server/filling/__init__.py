"""Filling and editing as steps of work, with sessions and recipes. No messages and no threads."""
