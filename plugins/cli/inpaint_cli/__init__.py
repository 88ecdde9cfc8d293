"""The `inpaint` command: fills and edits from the shell, through the daemon."""
