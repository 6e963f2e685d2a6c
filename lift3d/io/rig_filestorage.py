"""OpenCV's FileStorage files, YAML and XML, read without OpenCV and written through it.

OpenCV's own parser is C++ and made for files that one trusts; here a file becomes plain texts, lists and dicts first.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from lift3d.errors import CameraError, FileFormatError
from lift3d.io.rig_text import load_xml, load_yaml
from lift3d.io.rig_values import numbers

MAX_DEPTH = 8

Stored = np.ndarray | int | str | list[str]  # what one field of a file holds


def load_storage(text: str, path: Path) -> dict[str, Any]:
    """The fields of a FileStorage file: texts, lists, and dicts (of a matrix: ``rows``, ``cols``, ``dt``, ``data``).

    Raises:
        FileFormatError: neither such YAML nor such XML.
    """
    if not text.lstrip("\ufeff \t\r\n").startswith("<"):
        return load_yaml(text, path)
    root = load_xml(text, path)
    if root.tag != "opencv_storage":
        raise FileFormatError(path, f"expected <opencv_storage>, found <{root.tag}>")
    tree = _plain(root, path, 0)
    if not isinstance(tree, dict):
        raise FileFormatError(path, "expected named fields", "opencv_storage")
    return tree


def matrix(tree: dict[str, Any], key: str, path: Path, *shapes: tuple[int, int]) -> np.ndarray:
    """A matrix of the file.

    Args:
        tree: what ``load_storage`` has returned.
        key, path: its name and the file.
        shapes: the (rows, columns) that are allowed; any if none is given.

    Raises:
        FileFormatError: missing, no matrix, or its numbers do not fit its rows and columns.
    """
    value = tree.get(key)
    if not isinstance(value, dict):
        raise FileFormatError(path, "the matrix is missing" if value is None else "expected a matrix", key)
    data = value.get("data")
    if isinstance(data, str):
        data = data.split()
    array = numbers(data, path, f"{key}.data").ravel()
    rows, columns = (numbers([value.get(side)], path, f"{key}.{side}")[0] for side in ("rows", "cols"))
    if rows * columns != array.size:
        raise FileFormatError(path, f"{array.size} numbers do not make {rows:g} x {columns:g}", key)
    if shapes and (rows, columns) not in shapes:
        wanted = " or ".join(f"{r} x {c}" for r, c in shapes)
        raise FileFormatError(path, f"expected {wanted} numbers, found {rows:g} x {columns:g}", key)
    return array.reshape(int(rows), int(columns))


def texts(tree: dict[str, Any], key: str, path: Path) -> list[str]:
    """A list of texts. Raises FileFormatError if it is missing or something else."""
    value = tree.get(key)
    if isinstance(value, str):  # XML
        value = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', value)]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise FileFormatError(path, "expected a list of names", key)
    return value


def text(tree: dict[str, Any], key: str, path: Path) -> str | None:
    """A text, None if the file has no such field. Raises FileFormatError if it is something else."""
    value = tree.get(key)
    if value is not None and not isinstance(value, str):
        raise FileFormatError(path, "expected a text", key)
    if value is not None and len(value) >= 2 and value[0] == value[-1] == '"':  # XML
        return value[1:-1]
    return value


def dump_storage(values: dict[str, Stored], xml: bool = False) -> str:
    """The text of a FileStorage file of matrices, whole numbers, texts and lists of texts; numbers are exact.

    Raises:
        CameraError: a text holds characters that OpenCV's files do not keep.
    """
    import cv2

    kind = cv2.FILE_STORAGE_FORMAT_XML if xml else cv2.FILE_STORAGE_FORMAT_YAML
    storage = cv2.FileStorage("", cv2.FILE_STORAGE_WRITE | cv2.FILE_STORAGE_MEMORY | kind)
    try:
        for key, value in values.items():
            if isinstance(value, np.ndarray):
                storage.write(key, np.ascontiguousarray(value, dtype=np.float64))
            elif isinstance(value, int):
                storage.write(key, value)
            elif isinstance(value, str):
                storage.write(key, _kept(value))
            else:
                storage.startWriteStruct(key, cv2.FileNode_SEQ)
                for item in value:
                    storage.write("", _kept(item))
                storage.endWriteStruct()
    finally:
        result = storage.releaseAndGetString()
    return str(result)


def _kept(name: str) -> str:
    # Quotes, backslashes and control characters are escaped in one way by OpenCV's YAML and in another by its XML.
    if not re.fullmatch(r"[^\x00-\x1f\x7f\"\\<>&\ud800-\udfff]{1,255}", name) or name != name.strip():
        raise CameraError(f"camera {name!r}: OpenCV's files do not keep such a name; use letters and digits")
    return name


def _plain(element: ElementTree.Element, path: Path, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise FileFormatError(path, "nested too deeply", element.tag)
    if len(element) == 0:
        return (element.text or "").strip()
    if all(child.tag == "_" for child in element):
        return [_plain(child, path, depth + 1) for child in element]
    result: dict[str, Any] = {}
    for child in element:
        if child.tag in result:
            raise FileFormatError(path, "stands there twice", child.tag)
        result[child.tag] = _plain(child, path, depth + 1)
    return result
