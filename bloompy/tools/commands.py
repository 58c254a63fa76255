"""The command line `bloompy`. Its groups live with what they command and are imported when they are named."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "check": ("bloompy.tools.checking:check", "Say where order can show in a program, and what is odd about it; for CI too."),
    "count": ("bloompy.tools.counting:count", "Count the rules of programs, and the lines that they take."),
    "demo": ("bloompy.tools.demo.command:demo", "Start a small cluster, kill a part of it, and count the words of a real text."),
    "explain": ("bloompy.tools.explaining:explain", "Show how a program is evaluated: strata, indexes, the plan of every rule."),
    "fs": ("bloompy_fs.commands:fs", "The file system: list, put, get and more; its servers."),
    "paxos": ("bloompy_paxos.commands:paxos", "A replicated key-value store: serve, put, get, status, members."),
    "plot": ("bloompy.tools.plotting:plot", "Draw the dataflow of a program, with its points of order."),
    "why": ("bloompy.tools.asking:why", "Say why a row holds in a program or a simulated run, or why it does not."),
    "mr": ("bloompy_mr.commands:mr", "MapReduce: run jobs; its servers."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are used, so that `bloompy --help` stays quick."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in sorted(_COMMANDS.items())])


@click.group(cls=_Lazy)
@click.version_option(package_name="bloompy")
def main() -> None:
    """Distributed programs as rules, and the file system and MapReduce written in them."""
