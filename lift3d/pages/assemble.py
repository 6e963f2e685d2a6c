"""One HTML file from a template, with its style, script and pictures in it.

A template has places ``{{NAME}}``; ``{{STYLE_HASH}}`` and ``{{SCRIPT_HASH}}`` stand in its content security policy, so
that a browser runs what lift3d put there and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130


def fill_page(template: str, style: str, parts: Mapping[str, str], script: str = "") -> str:
    """The page.

    Args:
        template: the HTML with its places.
        style: CSS.
        parts: what goes to each other place, as HTML.
        script: JavaScript, if the page has any.
    """
    own = {"STYLE": style, "STYLE_HASH": _hash(style), "SCRIPT": script, "SCRIPT_HASH": _hash(script)}
    filled = {**own, **parts}
    # One pass over the template: what stands in a name is never taken for a place to fill.
    return re.sub(r"\{\{([A-Z_]+)\}\}", lambda match: filled[match[1]], template)


def report_style() -> str:
    """The CSS of all reports."""
    return (resources.files("lift3d.pages") / "report.css").read_text("utf-8")


def table(header: Iterable[str], rows: Iterable[str]) -> str:
    """A table of rows of HTML under a header of plain texts, in a box that scrolls where the page is narrow."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def row(cells: Iterable[str]) -> str:
    """A row of plain texts."""
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def new_figure(width: float, height: float, **room: float) -> Figure:
    """A figure in inches whose axes have a fixed place: finding out the room of labels costs more than all drawing."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white")
    figure.subplots_adjust(**room)
    return figure


def image(figure: Figure, words: str) -> str:
    """The figure as an image in the page; ``words`` for those who do not see it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, format="png")
    width, height = (figure.get_size_inches() * 96).astype(int)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(words)}" width="{width}" height="{height}" src="data:image/png;base64,{data}">'


def plain_text() -> AbstractContextManager[None]:
    """Within it, the dollars in names are dollars, and no formulas."""
    import matplotlib

    return matplotlib.rc_context({"text.parse_math": False})


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
