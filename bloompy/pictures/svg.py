"""SVG written by hand: elements whose text and attributes are escaped, so that no value becomes markup."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import escape

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def plain(text: object) -> str:
    """A value as text that XML may hold: control characters, which no document can carry even escaped, shown as `\\x1b`."""
    return _NOT_IN_XML.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), str(text))


def clip(text: object, width: int) -> str:
    """A value as text of at most so many characters."""
    shown = plain(text)
    return shown if len(shown) <= width else shown[: max(width - 1, 0)] + "…"


def element(tag: str, *children: str, **attributes: object) -> str:
    """An element as markup.

    Args:
        tag: its name, fixed in the code, never a value.
        children: markup, made by `element` or `text`; a bare value goes through `text` first.
        attributes: values are escaped; None leaves an attribute out; `_` in a name stands for `-`, and `class_` for `class`.
    """
    given = "".join(f' {_name(name)}="{escape(plain(_number(value)))}"' for name, value in attributes.items() if value is not None)
    inner = "".join(children)
    return f"<{tag}{given}>{inner}</{tag}>" if inner else f"<{tag}{given}/>"


def text(value: object) -> str:
    """A value as character data."""
    return escape(plain(value), quote=False)


def label(value: object, x: float, y: float, **attributes: object) -> str:
    """A `<text>` element at a place."""
    return element("text", text(value), x=x, y=y, **attributes)


def title(value: object) -> str:
    """What a browser shows when the pointer rests on the element that holds it."""
    return element("title", text(value))


def document(width: float, height: float, children: Iterable[str], *, style: str = "", about: str = "", **attributes: object) -> str:
    """A whole picture, which may stand in a file of its own or inside HTML.

    Args:
        width, height: in pixels.
        children: markup.
        style: CSS, fixed in the code.
        about: what it shows, for those who cannot see it.
        **attributes: of the picture's element, as in `element`.
    """
    head = [title(about)] if about else []
    if style:
        head.append(f"<style>{style}</style>")
    size = {"viewBox": f"0 0 {_number(width)} {_number(height)}", "width": width, "height": height}
    return element("svg", *head, *children, xmlns="http://www.w3.org/2000/svg", role="img", **size, **attributes)


def text_width(shown: str, size: float = 12.0) -> float:
    """About how wide a text is in pixels, in a monospaced font of that size; wide characters count twice."""
    return 0.602 * size * sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in shown)


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
