"""`python -m bloompy`: the command line."""

from bloompy.tools.commands import main

main(prog_name="bloompy")
