"""What the command groups have in common: errors as lines, options of clusters and servers."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from bloompy.errors import BloomError


class Commands(click.Group):
    """A group whose errors are one line each, with exit status 1; Ctrl-C with 130."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command that is named."""
        try:
            return super().invoke(context)
        except BrokenPipeError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            context.exit(1)
        except BloomError as error:
            raise click.ClickException(f"{error}" + (f"\nhint: {error.hint}" if error.hint else "")) from None
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{name}{error.strerror or error}") from None
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.stdout.flush()
            os._exit(130)  # a thread may still wait for standard input, and would be waited for


def secret_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option --secret."""
    about = "Shared by the cluster. Better given as BLOOMPY_SECRET: other users can see arguments."
    return click.option("--secret", envvar="BLOOMPY_SECRET", help=about)(command)


def settings_option(about: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option --set NAME=VALUE, which may be given many times: a dictionary with ints, floats and strings."""

    def parse(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
        return dict(map(_setting, given))

    return click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", callback=parse, help=about)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set {text}: write NAME=VALUE")
    with suppress(ValueError):
        return name, int(value)
    with suppress(ValueError):
        return name, float(value)
    return name, value


def printable(text: str) -> str:
    """A text without what would steer the terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def log_to_stderr() -> None:
    """Warnings of a server, with their time."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
