"""Judging a model: fixed masks, fills by several methods, numbers, and a page to look at."""
