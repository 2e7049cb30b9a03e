"""The commands that hang on the `flask` command line."""
