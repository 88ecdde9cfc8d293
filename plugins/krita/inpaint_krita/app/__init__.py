"""Application logic: the controller turns the artist's actions into the state that is shown."""
