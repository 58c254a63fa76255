"""What of a long run is worth showing: what went wrong, its causes nearest first, then the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from attrs import frozen

from bloompy.pictures.story import Moment, Story

_ESSENTIAL = frozenset({"failure", "crash", "restart", "fault", "stop", "start", "operation"})


@frozen
class Gap:
    """Moments that are left out.

    Attributes:
        first, last: the first and the last of them.
        count: how many.
    """

    first: Moment
    last: Moment
    count: int


def choose(story: Story, limit: int, focus: int | None = None) -> list[Moment | Gap]:
    """The moments to show, in order, with gaps for those left out.

    Ticks that nothing came of are left out silently: the numbers of those shown tell that there were some. If there are still too many,
    those go first that are no cause of the focus, then the causes that are farthest.

    Args:
        limit: how many moments to show at most; one that stands alone between others is shown in place of a gap.
        focus: number of the event to explain; by default the first failure, else the end.
    """
    wanted = {moment.index for moment in story.moments if not moment.idle or moment is story.moments[-1]}
    if len(wanted) > limit:
        ranked = [moment.index for moment in _ranked(story, focus) if moment.index in wanted]
        wanted = set(ranked[:limit])
    return list(_with_gaps(story, wanted))


def causes(moment: Moment) -> list[Moment]:
    """What a moment follows from at once: the one before it at its node, and where its messages were sent."""
    found = [arrow.begin for arrow in moment.arrivals if arrow.begin is not None]
    return found + ([moment.before] if moment.before is not None else [])


def _ranked(story: Story, focus: int | None) -> Iterator[Moment]:
    """All moments, the most worth showing first."""
    focal = _focus(story, focus)
    distances = _distances(focal, story)
    far = len(story.moments)

    def worth(moment: Moment) -> tuple[bool, bool, int, int]:
        distance = distances.get(moment.index, far)
        return (moment is not focal, moment.kind not in _ESSENTIAL, distance, -moment.index)

    return iter(sorted(story.moments, key=worth))


def _focus(story: Story, focus: int | None) -> Moment | None:
    if focus is not None:
        return next((moment for moment in story.moments if moment.no >= focus), None)
    return next(iter(story.failures), story.moments[-1] if story.moments else None)


def _distances(focal: Moment | None, story: Story) -> dict[int, int]:
    """How many steps of cause and effect lie between a moment and the focus."""
    if focal is None:
        return {}
    distances = {focal.index: 0}
    waiting = deque([focal])
    if not focal.node and focal.index:  # it concerns all: what came just before it is where to look
        before = story.moments[focal.index - 1]
        distances[before.index] = 1
        waiting.append(before)
    while waiting:
        moment = waiting.popleft()
        for cause in causes(moment):
            if cause.index not in distances:
                distances[cause.index] = distances[moment.index] + 1
                waiting.append(cause)
    for moment in story.moments:  # a loss has no effect: it is as near as what was lost
        known = [distances[arrow.begin.index] for arrow in moment.arrivals if arrow.begin is not None and arrow.begin.index in distances]
        if moment.kind == "lost" and known:
            distances[moment.index] = min(known) + 1
    return distances


def _with_gaps(story: Story, wanted: set[int]) -> Iterator[Moment | Gap]:
    left_out: list[Moment] = []
    for moment in story.moments:
        if moment.index in wanted:
            yield from _gap(left_out)
            left_out = []
            yield moment
        elif not moment.idle:
            left_out.append(moment)
    yield from _gap(left_out)


def _gap(left_out: list[Moment]) -> Iterator[Moment | Gap]:
    """A gap takes a line, and so does the one moment that it would stand for."""
    if len(left_out) == 1:
        yield left_out[0]
    elif left_out:
        yield Gap(left_out[0], left_out[-1], len(left_out))
