"""Space-time diagrams of runs (Lamport, "Time, clocks, and the ordering of events in a distributed system", CACM 1978): time goes down.

Every node has a lifeline, every tick a mark with its number, every message a slanted arrow that ends in a cross where it is lost. A
line of the picture is one event at one node; idle time takes no room. A long run is cut to what matters, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

from bloompy.pictures.choosing import choose
from bloompy.pictures.drawing import draw
from bloompy.pictures.lanes import Lanes
from bloompy.pictures.lines import lines_of
from bloompy.pictures.story import Story, tell
from bloompy.pictures.words import number, one_line

if TYPE_CHECKING:
    from bloompy.ir.nodes import Program
    from bloompy.sim.network import Partition
    from bloompy.sim.trace import Event

SHOWN_MOMENTS = 120
"""How many moments a picture shows unless told otherwise."""

SHOWN_LINES = 60
"""How many moments a text shows unless told otherwise."""


class SpaceTime:
    """The space-time diagram of a run: prints itself as text, and in a notebook as SVG.

    Args:
        events: a trace, or any stretch of its events.
        limit: how many moments to show at most; None for 120 in pictures and 60 in text.
        focus: number of the event to explain, whose causes are kept when much is left out; by default the first failure, else the end.
        without: channels whose messages are left out.
        failure: what ended the run, if its trace does not say so.
        programs: IR of the nodes by address; by default those that the trace knows.
        partitions: to be shaded; by default those that the trace knows.
    """

    def __init__(
        self,
        events: Iterable[Event],
        *,
        limit: int | None = None,
        focus: int | None = None,
        without: Iterable[str] = (),
        failure: str | None = None,
        programs: Mapping[str, Program] | None = None,
        partitions: Iterable[Partition] | None = None,
    ) -> None:
        known = programs if programs is not None else getattr(events, "programs", None)
        cuts = partitions if partitions is not None else getattr(events, "partitions", ())
        self.story: Story = tell(events, known, without, failure, cuts)
        self._limit, self._focus = limit, focus

    def svg(self) -> str:
        """As an SVG document, which may also stand inside HTML."""
        return draw(self.story, lines_of(self.story, choose(self.story, self._limit or SHOWN_MOMENTS, self._focus)))

    def page(self, caption: str = "Space-time diagram") -> str:
        """As an HTML page of its own."""
        return page(caption, self.svg(), self.summary())

    def text(self, width: int = 110, *, ascii: bool = False) -> str:
        """As text for a terminal.

        Args:
            width: columns at most.
            ascii: draw with plain ASCII characters.
        """
        lines = lines_of(self.story, choose(self.story, self._limit or SHOWN_LINES, self._focus))
        return Lanes(self.story, lines, width, ascii).text()

    def summary(self) -> str:
        """The run in one sentence."""
        ticks = sum(one.kind == "tick" for one in self.story.moments)
        lost = sum(arrow.fate == "lost" for arrow in self.story.arrows)
        messages = f"{number(len(self.story.arrows), 'message')}{f', {lost:,} of them lost' if lost else ''}"
        return f"{number(len(self.story.lanes), 'node')}, {number(ticks, 'tick')}, {messages}"

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<SpaceTime of {self.summary()}>"

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg()}</div>'


def spacetime_svg(events: Iterable[Event], **options: object) -> str:
    """The space-time diagram of a run as SVG; options as for `SpaceTime`."""
    return SpaceTime(events, **options).svg()  # type: ignore[arg-type]


def spacetime_html(events: Iterable[Event], **options: object) -> str:
    """The space-time diagram of a run as a piece of HTML; options as for `SpaceTime`."""
    return SpaceTime(events, **options)._repr_html_()  # type: ignore[arg-type]


def spacetime_text(events: Iterable[Event], width: int = 110, *, ascii: bool = False, **options: object) -> str:
    """The space-time diagram of a run as text; options as for `SpaceTime`."""
    return SpaceTime(events, **options).text(width, ascii=ascii)  # type: ignore[arg-type]


def page(caption: str, svg: str, below: str = "") -> str:
    """A picture as an HTML page of its own, without script and without anything from elsewhere."""
    shown = escape(one_line(caption))
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{shown}</title>'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">'
        "<style>:root{color-scheme:light dark}body{font:14px/1.4 system-ui,sans-serif;margin:1.5em}</style></head>"
        f'<body><h1>{shown}</h1><p>{escape(one_line(below))}</p><div style="overflow-x: auto">{svg}</div></body></html>\n'
    )
