"""Colors and type of charts, for light and dark pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

Theme = Literal["auto", "light", "dark"]

CLASS = "mlc"
"""Class of every chart: no rule of ours reaches anything else on a page."""
COLORS = 10

_LIGHT: Mapping[str, str] = {
    "paper": "#ffffff",
    "ink": "#1f2328",
    "soft": "#59636e",
    "grid": "#e4e8ec",
    "rule": "#c3cad1",
    "band": "#f4f6f8",
    "limit": "#c8102e",
    "c1": "#4269d0",
    "c2": "#e0a000",
    "c3": "#ef5b45",
    "c4": "#4db6a0",
    "c5": "#3ca951",
    "c6": "#e667a0",
    "c7": "#9456e0",
    "c8": "#8fb3ec",
    "c9": "#9c6b4e",
    "c10": "#a3a9b1",
}
_DARK: Mapping[str, str] = {
    "paper": "#0d1117",
    "ink": "#e6edf3",
    "soft": "#9aa5b1",
    "grid": "#22282f",
    "rule": "#3d444d",
    "band": "#161b22",
    "limit": "#ff6b75",
    "c1": "#6b8df0",
    "c2": "#efb118",
    "c3": "#ff7d68",
    "c4": "#6cc5b0",
    "c5": "#52c168",
    "c6": "#ff8ab7",
    "c7": "#b180f7",
    "c8": "#97bbf5",
    "c9": "#b98a6d",
    "c10": "#7d858f",
}
_FONT = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'
_RULES = (
    ("", f"font-family:{_FONT};font-size:12px;fill:$ink"),
    (" .title", "font-size:15px;font-weight:600"),
    (" .says,.$ .soft", "fill:$soft"),
    (" .strong", "font-weight:600"),
    (" .small", "font-size:11px"),
    (" .grid", "stroke:$grid;stroke-width:1;fill:none"),
    (" .rule", "stroke:$rule;stroke-width:1;fill:none"),
    (" .band", "fill:$band"),
    (" .paper", "fill:$paper"),
    (" .limit", "stroke:$limit;stroke-width:1.5;stroke-dasharray:5 4;fill:none"),
    (" .over", "fill:$limit"),
    (" .halo", "stroke:$paper;stroke-width:3;stroke-linejoin:round"),
    (" .ink", "stroke:$ink;stroke-width:1.5;fill:none"),
    (" .thin", "stroke-width:1.5;fill:none"),
    (" .flow", "fill-opacity:.38"),
    (" .area", "fill-opacity:.85"),
    (" .dot", "fill-opacity:.72;stroke:$paper;stroke-width:.75"),
)


@cache
def stylesheet(theme: Theme = "auto", *, background: bool = False) -> str:
    """Return the style of all charts: by the reader's preference, or with fixed colors.

    A page that lets its reader choose sets `data-theme` on an element around the charts.
    """
    if theme != "auto":
        colors = _DARK if theme == "dark" else _LIGHT
        return _rules(lambda name: colors[name], background=background)
    dark = _variables(_DARK)
    rules = _rules(lambda name: f"var(--mlc-{name})", background=background)
    return (
        f".{CLASS}{{{_variables(_LIGHT)}}}"
        f"@media(prefers-color-scheme:dark){{.{CLASS}{{{dark}}}}}"
        f'[data-theme="light"] .{CLASS}{{{_variables(_LIGHT)}}}'
        f'[data-theme="dark"] .{CLASS}{{{dark}}}'
        f"{rules}"
    )


def with_theme(svg: str, theme: Theme) -> str:
    """Return a file with fixed colors, for programs that know no variables."""
    auto, fixed = (stylesheet(each, background=True) for each in ("auto", theme))
    return svg.replace(auto, fixed)


def _variables(colors: Mapping[str, str]) -> str:
    return "".join(f"--mlc-{name}:{value};" for name, value in colors.items())


def _rules(color: Callable[[str], str], *, background: bool) -> str:
    rules = []
    for selector, body in _RULES:
        for name in sorted(_LIGHT, key=len, reverse=True):
            body = body.replace(f"${name}", color(name))
        rules.append(f".{CLASS}{selector.replace('$', CLASS)}{{{body}}}")
    for number in range(1, COLORS + 1):
        rules.append(f".{CLASS} .f{number}{{fill:{color(f'c{number}')}}}")
        rules.append(f".{CLASS} .s{number}{{stroke:{color(f'c{number}')}}}")
    if background:
        rules.append(f".{CLASS}{{background:{color('paper')}}}")
    return "".join(rules)
