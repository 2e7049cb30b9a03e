"""Work on a store that does not serve: check, repair, back up, move."""
