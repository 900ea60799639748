"""Elements of a page. Every text and attribute is escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from modellint.base.text import escaped


class Markup(str):
    """A text that is markup already: made by `element`, or a picture of our own."""

    __slots__ = ()


VOID = frozenset({"meta", "br", "hr", "input", "img", "col"})


def element(
    tag: str, *children: Markup | str | Iterable[Markup | str | None] | None, **attributes: object
) -> Markup:
    """Return an element; ``class_`` and ``data_node`` are the attributes class and data-node.

    Attributes that are None or False are left out, and those that are True have no value.
    """
    stated = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in VOID:
        return Markup(f"<{tag}{stated}>")
    return Markup(f"<{tag}{stated}>{joined(children)}</{tag}>")


def joined(children: Iterable[Markup | str | Iterable[Markup | str | None] | None]) -> Markup:
    """Return the children one after the other; what is not markup becomes text."""
    return Markup("".join(_child(child) for child in children))


def text(said: str) -> Markup:
    """Return a text: characters that would control the page or its direction are spelt out."""
    return Markup(escape(escaped(said, keep="\n"), quote=True))


def name(said: str) -> Markup:
    """Return a name of the model, whose direction of writing is its own."""
    return element("bdi", said, class_="name")


def _child(child: Markup | str | Iterable[Markup | str | None] | None) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    return text(child) if isinstance(child, str) else joined(child)


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    spelt = name.rstrip("_").replace("_", "-")
    return f" {spelt}" if value is True else f' {spelt}="{text(str(value))}"'
