"""Run the command line; Python needs this module for `python -m entra`."""

from entra.cli import main

if __name__ == "__main__":
    main(prog_name="python -m entra")
