"""Files: replaced atomically, locked between processes, written as CSV."""
