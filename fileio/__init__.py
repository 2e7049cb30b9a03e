"""Files: atomic replacement, locks between processes, and CSV."""
