"""Derivations, and attempts at them, as text and as HTML for notebooks. Whatever a row holds, it is shown and never obeyed."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bloompy.engine.provenance.answers import Absence, Attempt, Derivation, Fact, Why, WhyNot, printable, value_text

_PREMISES = 12
"""Premises of one derivation that are shown."""

_ALTERNATIVES = 4
"""Alternative derivations of one row that are shown."""

_ATTEMPTS = 4
"""Rules that did not derive a row that are shown."""

_LINES = 400

_WALL_CLOCK = 1e8
"""Seconds since 1970 tell nobody anything; those of a simulation or of a script do."""


# --- why, as text -----------------------------------------------------------------------------------------------


def why_text(why: Why) -> str:
    """An indented tree. A row that was explained above is not explained again."""
    lines: list[str] = [f"{fact_text(why.root)}, {when(why.root)}"]
    seen: dict[Fact, None] = {}
    for line in _below(why, why.root, "", seen):
        lines.append(line)
        if len(lines) > _LINES:
            lines.append("…")
            break
    return "\n".join(printable(line) for line in lines)


def fact_text(fact: Fact) -> str:
    """A row, as printed."""
    return f"{fact.text}{', on its way' if fact.partial else ''}"


def when(fact: Fact) -> str:
    """Tick, node and time."""
    return fact.where + (f" ({fact.time:.6g} s)" if fact.tick and fact.time < _WALL_CLOCK else "")


def _below(why: Why, fact: Fact, indent: str, seen: dict[Fact, None]) -> Iterator[str]:
    several = why.derivations.get(fact)
    if several is None:
        yield f"{indent}  … not followed any further"
        return
    seen[fact] = None
    for number, one in enumerate(several[:_ALTERNATIVES]):
        yield f"{indent}  {'or ' if number else ''}{said(one)}"
        yield from _inner(why, one, f"{indent}  ", seen)
    if len(several) > _ALTERNATIVES:
        yield f"{indent}  or in {len(several) - _ALTERNATIVES:,} other ways"


def _inner(why: Why, one: Derivation, indent: str, seen: dict[Fact, None]) -> Iterator[str]:
    shown = one.premises[: one.decisive or _PREMISES]
    parts: list[Fact | Absence | str] = [*shown, *one.absences[:_PREMISES]]
    left = len(one.premises) + len(one.absences) - len(parts)
    if left:
        parts.append(f"… and {left:,} more")
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        branch, more = ("└ ", "  ") if last else ("├ ", "│ ")
        if isinstance(part, str):
            yield f"{indent}{branch}{part}"
        elif isinstance(part, Absence):
            yield f"{indent}{branch}{part.text}"
        else:
            yield f"{indent}{branch}{_premise(why, one, part, seen)}"
            if part not in seen and not _short(why, part):
                yield from _below(why, part, indent + more, seen)


def _premise(why: Why, one: Derivation, part: Fact, seen: dict[Fact, None]) -> str:
    text = fact_text(part)
    if (part.node, part.incarnation, part.tick) != (one.fact.node, one.fact.incarnation, one.fact.tick):
        text += f", {when(part)}"
    short = _short(why, part)
    if short:
        return f"{text}: {short}"
    return f"{text} (above)" if part in seen and why.derivations.get(part) else text


def _short(why: Why, fact: Fact) -> str:
    """Of a row with one derivation that has nothing below it: in its line; also where such a one stood in its table."""
    several = why.derivations.get(fact)
    if several is None or len(several) != 1:
        return ""
    [one] = several
    if not one.premises and not one.absences and one.rule is None:
        return said(one)
    if one.how == "stayed" and (inner := _short(why, one.premises[0])):
        return f"{inner}, {when(one.premises[0])}"
    return ""


def said(one: Derivation) -> str:
    """A derivation, in a line."""
    text = one.summary
    if one.count > 1 and one.how != "merged":
        text += f", of {one.count:,} bindings"
    elif plain := [f"{name} = {value_text(value)}" for name, value in one.bindings if not isinstance(value, tuple)]:
        text += f" with {', '.join(plain)}"
    return text


# --- why, as HTML -----------------------------------------------------------------------------------------------

_STYLE = """<style>
.bloompy-why details { margin: 1px 0 1px 1.2em }
.bloompy-why summary { cursor: pointer }
.bloompy-why .leaf { margin: 1px 0 1px 2.2em }
.bloompy-why .quiet { opacity: .7 }
.bloompy-why code { white-space: pre-wrap }
</style>"""


def why_html(why: Why) -> str:
    """The same, folded below the first two levels."""
    seen: dict[Fact, None] = {}
    inside = "".join(_fact_html(why, why.root, 0, seen))
    return f"<div class='bloompy-why'>{_STYLE}{inside}</div>"


def _fact_html(why: Why, fact: Fact, depth: int, seen: dict[Fact, None]) -> Iterator[str]:
    title = f"<code>{_safe(fact_text(fact))}</code> <span class='quiet'>{_safe(when(fact))}</span>"
    several = why.derivations.get(fact)
    if fact in seen or several is None or len(seen) > _LINES:
        yield f"<div class='leaf'>{title} <span class='quiet'>{'(above)' if fact in seen else '…'}</span></div>"
        return
    seen[fact] = None
    if short := _short(why, fact):
        yield f"<div class='leaf'>{title}: {_safe(short)}</div>"
        return
    yield f"<details{' open' if depth < 2 else ''}><summary>{title}</summary>"
    for number, one in enumerate(several[:_ALTERNATIVES]):
        rule = f"<br><code>{_safe(one.rule.text)}</code>" if one.rule is not None else ""
        yield f"<div class='leaf'>{'or ' if number else ''}{_safe(said(one))}{rule}</div>"
        for premise in one.premises[: one.decisive or _PREMISES]:
            yield from _fact_html(why, premise, depth + 1, seen)
        yield from (f"<div class='leaf'>{_safe(absence.text)}</div>" for absence in one.absences[:_PREMISES])
        left = max(0, len(one.premises) - (one.decisive or _PREMISES)) + max(0, len(one.absences) - _PREMISES)
        yield f"<div class='leaf'>… and {left:,} more</div>" if left else ""
    if len(several) > _ALTERNATIVES:
        yield f"<div class='leaf'>or in {len(several) - _ALTERNATIVES:,} other ways</div>"
    yield "</details>"


def _safe(text: str) -> str:
    return escape(printable(text))


# --- why not ----------------------------------------------------------------------------------------------------


def why_not_text(asked: WhyNot) -> str:
    """The nearest rule in full, the others in a line each."""
    return "\n".join(printable(line) for line in _why_not(asked, ""))


def _why_not(asked: WhyNot, indent: str) -> Iterator[str]:
    where = f"tick {asked.tick} of {asked.node}" if asked.tick else f"{asked.node}"
    yield f"{indent}{asked.pattern} does not hold in {where}"
    yield from (f"{indent}  {reason}" for reason in asked.reasons)
    shown = [one for number, one in enumerate(asked.attempts) if number < _ATTEMPTS or one.below is not None]
    for number, attempt in enumerate(shown):
        yield f"{indent}  {'nearest: ' if not number and len(asked.attempts) > 1 else ''}{title(attempt)}"
        steps = attempt.steps if not number or attempt.below is not None else attempt.steps[-1:]
        yield from (f"{indent}    {'✓' if step.met else '✗'} {step.text}{f':  {step.said}' if step.said else ''}" for step in steps)
        if attempt.below is not None:
            yield from _why_not(attempt.below, f"{indent}      ")
    if left := len(asked.attempts) - len(shown):
        yield f"{indent}  and {left:,} more, less near"


def title(attempt: Attempt) -> str:
    """Which rule, and where it was tried."""
    return f"{attempt.rule.label}, {attempt.rule.short_place}{f', {attempt.where}' if attempt.where else ''}"


def why_not_html(asked: WhyNot) -> str:
    """The same for notebooks, rules folded but the nearest."""
    return f"<div class='bloompy-why'>{_STYLE}{''.join(_why_not_html(asked))}</div>"


def _why_not_html(asked: WhyNot) -> Iterator[str]:
    where = f"tick {asked.tick} of {asked.node}" if asked.tick else asked.node
    yield f"<details open><summary><code>{_safe(asked.pattern)}</code> does not hold in {_safe(where)}</summary>"
    yield from (f"<div class='leaf'>{_safe(reason)}</div>" for reason in asked.reasons)
    for number, attempt in enumerate(asked.attempts):
        yield f"<details{'' if number else ' open'}><summary>{_safe(title(attempt))}</summary><code>{_safe(attempt.rule.text)}</code>"
        for step in attempt.steps:
            yield f"<div class='leaf'>{'✓' if step.met else '✗'} <code>{_safe(step.text)}</code> {_safe(step.said)}</div>"
        if attempt.below is not None:
            yield from _why_not_html(attempt.below)
        yield "</details>"
    yield "</details>"
