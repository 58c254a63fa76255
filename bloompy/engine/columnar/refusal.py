"""What is raised, inside this package only, where columns cannot do what Python would."""

from __future__ import annotations


class Refused(Exception):
    """The work is left to generated Python, which gives the right result or raises the right error; the message says why."""
