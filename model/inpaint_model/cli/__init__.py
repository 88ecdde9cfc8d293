"""The sub-commands of `inpaint-model`, one module each."""
