"""The command `inpaint`, which fills and edits images from the shell through the daemon."""
