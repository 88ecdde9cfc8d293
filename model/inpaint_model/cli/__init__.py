"""The sub-commands of `inpaint-model`."""
