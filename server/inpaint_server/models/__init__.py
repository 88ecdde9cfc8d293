"""Models: their sources, devices and memory budgets."""
