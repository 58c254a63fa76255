"""Nodes: programs that run by themselves. `Node` itself is a public name of `bloompy`."""

from bloompy.runtime.limits import Limits

__all__ = ["Limits"]
