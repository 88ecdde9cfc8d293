"""Evaluate a model: fixed masks, fills by several methods, metrics and a report page."""
