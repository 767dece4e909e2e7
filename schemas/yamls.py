"""A YAML file of the catalog as a typed value. A fault says where: file, line, field.

Bounded: BYTES_MAX, DEPTH_MAX; no aliases, with which a short file can say more than memory holds. And no key twice, of which YAML would
keep the last.
"""

import re
from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec
import yaml

from schemas.repeated import repeated

BYTES_MAX: Final = 256 * 1024
DEPTH_MAX: Final = 12

T = TypeVar("T")

_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PLACE: Final = re.compile(r"(?P<why>.*?)(?: - at (?:`key` in )?`(?:key in )?\$(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")


class CatalogError(ValueError):
    """A file of the catalog does not say what it must: the message has its name, the line, the field and why."""


class Yaml:
    """A file's text, read once.

    Raises:
        CatalogError: it is no YAML, or goes beyond the bounds.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        if len(text.encode()) > BYTES_MAX:
            raise CatalogError(f"{file}: is larger than {BYTES_MAX:,} bytes")
        try:
            faults = list(_beyond(text))
            self._root = yaml.compose(text, yaml.SafeLoader) if not faults else None
            faults += _doubled(self._root)
            self._value = yaml.safe_load(text) if not faults else None
        except yaml.MarkedYAMLError as fault:
            line = fault.problem_mark.line + 1 if fault.problem_mark else 1
            raise CatalogError(f"{file}:{line}: is no YAML: {fault.problem or fault.context}") from fault
        except (yaml.YAMLError, ValueError) as fault:  # a character that may not be there; 2026-02-30
            raise CatalogError(f"{file}: is no YAML: {fault}") from fault
        if faults:
            raise CatalogError("\n".join(f"{file}:{line}: {why}" for line, why in faults))

    def read(self, kind: type[T]) -> T:
        """The file as a value of `kind`.

        Raises:
            CatalogError: a field is missing, unknown, or of another kind.
        """
        try:
            return msgspec.convert(self._value, kind)
        except msgspec.ValidationError as fault:
            found = _PLACE.fullmatch(str(fault))
            assert found
            path, why = (found["path"] or "").replace("[...]", "").lstrip("."), found["why"]
            if unknown := _UNKNOWN.fullmatch(why):
                path, why = f"{path}.{unknown[1]}".lstrip("."), "there is no such field"
            raise self.fault(path, why) from fault

    def fault(self, path: str, why: str) -> CatalogError:
        """The error of the field at `path`, such as `groups[0].name`; of what it should be in, where it is not there."""
        return CatalogError(f"{self.file}:{self._line(path)}: {f'{path}: ' if path else ''}{why}")

    def _line(self, path: str) -> int:
        node, line = self._root, 1
        for name, place in _STEP.findall(path):
            if isinstance(node, yaml.MappingNode) and name:
                found = next((pair for pair in node.value if pair[0].value == name), None)
                if found is None:
                    break
                node, line = found[1], found[0].start_mark.line + 1
            elif isinstance(node, yaml.SequenceNode) and place and int(place) < len(node.value):
                node = node.value[int(place)]
                line = node.start_mark.line + 1
            else:
                break
        return line


def _beyond(text: str) -> Iterator[tuple[int, str]]:
    """What the composer is not to meet: it would call itself for each level, and follow each alias."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            yield line, f"*{event.anchor}: aliases are not taken; write it out"
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth == DEPTH_MAX + 1:
                yield line, f"is deeper than {DEPTH_MAX} levels"
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1


def _doubled(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _doubled(one)
    elif isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in repeated(names):
            *_, last = (key.start_mark for key, _ in node.value if key.value == name)
            yield last.line + 1, f"{name}: is there twice"
        for _, value in node.value:
            yield from _doubled(value)
