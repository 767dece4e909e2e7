"""The text of a product's file with other curves of its groups and its version raised; every other character stays as it is. Pure."""

from collections.abc import Sequence

import yaml

from schemas.curves import Curve
from schemas.product import Product
from schemas.yamls import Yaml


def with_curves(file: str, text: str, curves: Sequence[Curve]) -> str:
    """The file with `curves`, one a group in the order of its groups, and its `version` one higher.

    Raises:
        CatalogError: the file is no product.
    """
    product = Yaml(file, text).read(Product)
    root = yaml.compose(text, yaml.SafeLoader)
    groups, version = _of(root, "groups"), _of(root, "version")
    assert isinstance(groups, yaml.SequenceNode)
    edits = [(version.start_mark.index, version.end_mark.index, str(product.version + 1))]
    edits += [_edit(text, node, _written(curve)) for node, curve in zip(groups.value, curves, strict=True)]
    for start, end, said in sorted(edits, reverse=True):
        text = text[:start] + said + text[end:]
    return text


def _edit(text: str, group: yaml.Node, curve: str) -> tuple[int, int, str]:
    """What replaces the group's curve, or goes behind its last field."""
    assert isinstance(group, yaml.MappingNode)
    for key, value in group.value:
        if key.value == "curve":
            start, end = key.end_mark.index + 1, value.end_mark.index  # behind the colon; a block ends where what is next begins
            return start, _last(text, start, end), f" {curve}"
    last, indent = group.value[-1][1], " " * group.value[0][0].start_mark.column
    end = _last(text, last.start_mark.index, last.end_mark.index)
    return end, end, f",\n{indent}curve: {curve}" if group.flow_style else f"\n{indent}curve: {curve}"


def _last(text: str, start: int, end: int) -> int:
    """Where what stands between `start` and `end` ends without the blank lines and comments behind it."""
    lines = text[start:end].splitlines(keepends=True)
    while len(lines) > 1 and lines[-1].strip()[:1] in {"", "#"}:
        lines.pop()
    return start + len("".join(lines).rstrip())


def _of(root: yaml.Node | None, name: str) -> yaml.Node:
    assert isinstance(root, yaml.MappingNode)
    found: yaml.Node = next(value for key, value in root.value if key.value == name)
    return found


def _written(curve: Curve) -> str:
    shares = (f"{name}: [{', '.join(map(str, getattr(curve, name)))}]" for name in ("default_ppm", "prepayment_ppm"))
    return f"{{{', '.join(shares)}, loss_given_default_ppm: {curve.loss_given_default_ppm}, recovery_months: {curve.recovery_months}}}"
