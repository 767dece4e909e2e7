"""HTML by small functions. Text becomes Markup by `markup` alone, which escapes it; nothing else goes into a page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

NAVIGATION: Final = {
    "/": "Batches",
    "/lag": "Topics and lag",
    "/assets": "Assets",
    "/why": "Why",
    "/rejections": "Dead letters",
    "/products": "Products",
}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What a page has to say: `data` for programs (JSON), `body` for people, under the navigation's `place`."""

    place: str
    title: str
    note: str
    data: Any
    body: Markup
    refresh_s: int | None = None
    status: int = 200


class Column(NamedTuple):
    """A column of a table: its head, and a row's cell."""

    head: str
    cell: Callable[[Mapping[str, Any]], object]
    kind: str = ""  # "n": a number, stands right; "wrap": a long text, "few": some lines of text
    compared: bool = False  # a cell that differs from the one above is marked


def markup(value: object) -> Markup:
    """`value` as HTML: text is escaped, Markup stays, None is a dash, whole numbers get separators, times are UTC to the second."""
    if isinstance(value, Markup):
        return value
    if value is None or value == "":
        return Markup('<span class="zero">&ndash;</span>')
    if isinstance(value, int) and not isinstance(value, bool):
        return Markup(f"{value:,}") if value else Markup('<span class="zero">0</span>')
    if isinstance(value, datetime):
        return Markup(value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"))
    return Markup(escape(str(value)))


def join(parts: Iterable[object]) -> Markup:
    return Markup("".join(markup(part) for part in parts))


def tag(name: str, /, *content: object, **attributes: str) -> Markup:
    """An element; an attribute's trailing underscore is dropped (`class_`)."""
    written = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def link(text: object, *path: str, **query: str) -> Markup:
    """A link to a page of ours, every part of its path and query quoted."""
    target = "/" + "/".join(quote(part, safe="") for part in path) + (f"?{urlencode(query)}" if query else "")
    return tag("a", text, href=target)


def field(name: str, value: str, **attributes: str) -> Markup:
    """A field of a form: an element without an end."""
    return Markup(tag("input", name=name, value=value, autocomplete="off", **attributes).removesuffix("</input>"))


def money(cents: int | None) -> Markup:
    """Cents in major units, with two decimals."""
    if cents is None:
        return markup(None)
    sign = "-" if cents < 0 else ""
    return Markup(f"{sign}{abs(cents) // 100:,}.{abs(cents) % 100:02d}")


def percent(ppm: int | None) -> Markup:
    """Parts per million in percent, exactly: at least two decimals, and more where there are any."""
    if ppm is None:
        return markup(None)
    decimals = f"{ppm % 10_000:04d}"
    return Markup(f"{ppm // 10_000}.{decimals[:2]}{decimals[2:].rstrip('0')} %")


def duration(seconds: float | None) -> Markup:
    """A length of time in its largest unit, with as many digits as one reads: 4 ms, 3.2 s, 12 min, 5 h, 3 days."""
    if seconds is None:
        return markup(None)
    for unit, length_s, below_s in (("ms", 0.001, 1), ("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < below_s:
            decimals = 1 if seconds < 10 * length_s else 0
            return Markup(f"{seconds / length_s:.{decimals}f} {unit}")
    return Markup(f"{seconds / 86_400:,.0f} days")


def table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], empty: str) -> Markup:
    """A table of `rows`, or the text `empty` where there are none."""
    if not rows:
        return tag("div", tag("div", empty, class_="empty"), class_="scroll")
    head = tag("tr", *(tag("th", column.head, class_=column.kind) for column in columns))
    cells = [[markup(column.cell(row)) for column in columns] for row in rows]
    lines = (tag("tr", *map(_cell, columns, line, above)) for line, above in zip(cells, cells[:1] + cells, strict=False))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *lines)), class_="scroll")


def _cell(column: Column, cell: Markup, above: Markup) -> Markup:
    return tag("td", cell, class_=f"{column.kind} changed" if column.compared and cell != above else column.kind)


def document(page: Page, json_url: str) -> str:
    """The whole document of a page; `json_url` has the same for programs."""
    refresh = f'<meta http-equiv="refresh" content="{page.refresh_s}">' if page.refresh_s else ""
    entries = (tag("a", text, href=path, **({"aria-current": "page"} if path == page.place else {})) for path, text in NAVIGATION.items())
    program = tag("a", "JSON", href=json_url, class_="json")
    body = tag("header", tag("b", "Tranche"), tag("nav", *entries), program) + tag(
        "main", tag("h1", page.title), tag("p", page.note, class_="note"), page.body
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh}<meta name="viewport" content="width=device-width">'
        f'<title>{escape(page.title)} · Tranche</title><link rel="stylesheet" href="/style.css"></head><body>{body}</body></html>'
    )
