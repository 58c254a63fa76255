"""The lines of a space-time diagram, one below the other: each belongs to one node, so what stands in it cannot overlap."""

from __future__ import annotations

from attrs import define

from bloompy.pictures.choosing import Gap
from bloompy.pictures.story import Arrow, Moment, Story, seconds
from bloompy.pictures.words import number

UNDER_WAY_SHOWN = 12
"""How many messages that never end are drawn."""

_LONG_FACTOR, _LONG_S = 20.0, 0.05


@define(eq=False)
class Line:
    """One line.

    Attributes:
        moment: what happens; None for a gap, or a message that is under way at the end.
        arrow: the message that ends in this line.
        gap: what is left out here.
        last: whether it is the last line of its moment, where its mark stands.
        time: shown in the margin; "" where it is that of the line above.
        pause: how much time passes here, where that is long; such a line has nothing else.
    """

    moment: Moment | None = None
    arrow: Arrow | None = None
    gap: Gap | None = None
    last: bool = True
    time: str = ""
    pause: str = ""
    index: int = 0

    @property
    def note(self) -> str:
        """What is said beside it."""
        if self.gap is not None:
            return f"… {number(self.gap.count, 'event')} left out"
        if self.moment is None or not self.last:
            return self.pause
        return f"✗ {self.moment.note}" if self.moment.kind == "failure" else self.moment.note


def lines_of(story: Story, chosen: list[Moment | Gap]) -> list[Line]:
    """The lines of the moments chosen: one for each message that ends, one for a moment without, one for a gap."""
    lines: list[Line] = []
    for one in chosen:
        if isinstance(one, Gap):
            lines.append(Line(gap=one))
            continue
        lines += [Line(one, arrow, last=False) for arrow in one.arrivals] or [Line(one)]
        lines[-1].last = True
    shown = {line.moment.index for line in lines if line.moment is not None}
    open_ends = [arrow for arrow in story.arrows if arrow.end is None and arrow.begin is not None and arrow.begin.index in shown]
    lines += [Line(arrow=arrow) for arrow in open_ends[:UNDER_WAY_SHOWN]]
    lines = _with_times(lines)
    for index, line in enumerate(lines):
        line.index = index
    return lines


def _with_times(lines: list[Line]) -> list[Line]:
    """The lines with the times that are shown in the margin, and a line where nothing happens for long."""
    times = [line.moment.time for line in lines if line.moment is not None]
    steps = sorted(after - before for before, after in zip(times, times[1:], strict=False) if after > before)
    long = max(_LONG_S, _LONG_FACTOR * steps[len(steps) // 2]) if steps else 0.0
    shown, before, found = "", None, []
    for line in lines:
        moment = line.moment
        if moment is not None and before is not None and moment.time - before > long:
            found.append(Line(pause=f"… {seconds(moment.time - before)} later"))
        before = moment.time if moment is not None else None
        if moment is not None and seconds(moment.time) != shown:
            line.time = shown = seconds(moment.time)
        found.append(line)
    return found


def places(lines: list[Line], story: Story) -> dict[int, int]:
    """The line of every moment by its index: its last one, or that of the gap into which it fell."""
    found: dict[int, int] = {}
    gaps = [line for line in lines if line.gap is not None]
    for line in lines:
        if line.moment is not None:
            found[line.moment.index] = line.index
    for line in gaps:
        assert line.gap is not None
        for index in range(line.gap.first.index, line.gap.last.index + 1):
            found[index] = line.index
    return found
