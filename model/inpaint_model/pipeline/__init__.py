"""Fill documents of any size and depth: patches, composites, recipes and sessions."""
