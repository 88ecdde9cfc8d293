"""Models: where they come from, what device they are on, what memory they may take."""
