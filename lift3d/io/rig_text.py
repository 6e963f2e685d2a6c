"""YAML and XML of rig files as plain lists, dicts and texts, read without anything that such files can hide.

Of YAML nothing but texts, lists and mappings is built, whatever the tags say; aliases, from which small files grow
without bound, and keys that appear twice are refused. XML that declares entities is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lift3d.errors import FileFormatError

MAX_YAML_BYTES = 1 << 20


def load_yaml(text: str, path: Path) -> dict[str, Any]:
    """The mapping of a YAML file, OpenCV's ``%YAML:1.0`` included; every scalar is a text.

    Raises:
        FileFormatError: over 1 MiB, not YAML, not a mapping, or with aliases or repeated keys.
    """
    import yaml  # type: ignore[import-untyped]

    if len(text) > MAX_YAML_BYTES:
        raise FileFormatError(path, f"{len(text) / 2**20:.1f} MiB of YAML are no rig (the limit is 1 MiB)")
    body = re.sub(r"\A\s*%YAML[^\n]*\n", "", text)
    seen: set[int] = set()

    def plain(node: Any, field: str) -> Any:
        if id(node) in seen:
            raise FileFormatError(path, "YAML aliases (&name, *name) are not read; write the values out", field)
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return [plain(item, f"{field}[{index}]") for index, item in enumerate(node.value)]
        result: dict[str, Any] = {}
        for key, value in node.value:
            name = plain(key, field)
            if not isinstance(name, str) or name in result:
                raise FileFormatError(path, f"the key {name!r} is not a text or stands there twice", field or None)
            result[name] = plain(value, f"{field}.{name}".lstrip("."))
        return result

    try:
        root = yaml.compose(body, Loader=yaml.BaseLoader)
        tree = plain(root, "") if root is not None else None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" in line {place.line + 1}" if place is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise FileFormatError(path, f"not valid YAML ({problem}{where}); was the file cut off?") from error
    if not isinstance(tree, dict):
        raise FileFormatError(path, "expected YAML with named fields")
    return tree


def load_xml(text: str, path: Path) -> ElementTree.Element:
    """The root element of an XML file.

    Raises:
        FileFormatError: not XML, or with a document type or entities of its own.
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise FileFormatError(path, "the XML declares entities, which no rig file does")
    try:
        return ElementTree.fromstring(text.strip())
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise FileFormatError(path, f"not valid XML ({error}); was the file cut off?") from error
