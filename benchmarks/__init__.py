"""How fast the parts are, and how good: programs that print figures, never tests."""
