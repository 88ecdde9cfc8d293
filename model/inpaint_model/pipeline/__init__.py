"""A document of any size and depth in, patches, composites, recipes and sessions out."""
