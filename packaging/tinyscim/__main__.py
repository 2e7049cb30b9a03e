"""Run the command line; Python needs this module for `python -m tinyscim`."""

from tinyscim.cli import main

if __name__ == "__main__":
    main(prog_name="tinyscim")
