"""The networks of the paper, their training and their use."""
