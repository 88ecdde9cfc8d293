"""The networks of the paper (section 3.1) and their configurations."""
