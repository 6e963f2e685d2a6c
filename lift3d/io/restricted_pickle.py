"""Unpickling of numpy arrays and plain containers, and of nothing else.

Some files of others hold pickles: the object arrays of VideoPose3D's ``data_2d_*.npz`` and the attributes of pandas'
HDF5 files. This unpickler knows lists, tuples, dicts, sets, numbers, texts and numpy arrays, dtypes and scalars under
their old and new module paths. No class or function of a file is ever imported or called.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from collections import OrderedDict
from collections.abc import Callable
from os import PathLike
from typing import Any, ClassVar, cast

import numpy as np

from lift3d.errors import FileFormatError


def restricted_loads(data: bytes, path: str | PathLike[str], field: str | None = None) -> Any:
    """The object of a pickle.

    Args:
        data: the pickle, any protocol.
        path, field: where it comes from, for messages.

    Raises:
        FileFormatError: truncated, malformed, or it asks for a type that is not admitted.
    """
    try:
        return _Unpickler(data).load()
    except pickle.UnpicklingError as error:
        raise FileFormatError(path, str(error), field) from error
    except (
        AssertionError, AttributeError, EOFError, IndexError, KeyError, MemoryError, OverflowError, RecursionError,
        TypeError, ValueError, struct.error,
    ) as error:  # fmt: skip
        raise FileFormatError(path, f"the pickled data is damaged ({error})", field) from error


class _NdarrayType:
    """Stands for ``numpy.ndarray`` where a pickle names it as the type to build."""


def _reconstruct(kind: Any, shape: Any, typecode: Any) -> np.ndarray:
    if kind is not _NdarrayType or shape not in ((0,), [0]):
        raise pickle.UnpicklingError("an array is built in a way that is not admitted")
    return np.empty(0, np.int8)


def _dtype(spec: Any, *_: Any) -> np.dtype:
    if not isinstance(spec, str) or not re.fullmatch(r"[<>|=]?[biufcSUO?]\d{0,6}|[biufc]\d{1,2}|O8", spec):
        raise pickle.UnpicklingError(f"the dtype {str(spec)[:40]!r} is not admitted")
    return np.dtype(spec, False, True)


def _scalar(dtype: Any, data: Any = None) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject or len(_bytes(data)) != dtype.itemsize:
        raise pickle.UnpicklingError("a numpy scalar is damaged")
    return np.frombuffer(_bytes(data), dtype)[0]


def _frombuffer(data: Any, dtype: Any, shape: Any, order: Any = "C", *_: Any) -> np.ndarray:
    _check_array(dtype, shape, data)
    if dtype.hasobject:
        raise pickle.UnpicklingError("an array of objects is damaged")
    return np.frombuffer(_bytes(data), dtype).reshape(shape, order="F" if order == "F" else "C").copy()


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("bytes are damaged")
    return text.encode("latin1")


def _bytes(data: Any) -> bytes:
    if isinstance(data, str):  # pickles of Python 2
        return data.encode("latin1")
    if not isinstance(data, (bytes, bytearray)):
        raise pickle.UnpicklingError("an array's data is damaged")
    return bytes(data)


def _check_array(dtype: Any, shape: Any, data: Any) -> None:
    if not isinstance(dtype, np.dtype) or not isinstance(shape, tuple) or len(shape) > 8:
        raise pickle.UnpicklingError("an array's description is damaged")
    if not all(isinstance(n, int) and n >= 0 for n in shape):
        raise pickle.UnpicklingError(f"an array's shape is damaged: {shape!r:.60}")
    if dtype.hasobject:
        fits = isinstance(data, list) and len(data) == math.prod(shape)
    else:
        fits = len(_bytes(data)) == math.prod(shape) * dtype.itemsize
    if not fits:
        raise pickle.UnpicklingError(f"the data do not make an array {shape} of {dtype}")


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NdarrayType,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): OrderedDict,
}
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED |= {
        (f"{_core}.multiarray", "_reconstruct"): _reconstruct,
        (f"{_core}.multiarray", "scalar"): _scalar,
        (f"{_core}.numeric", "_frombuffer"): _frombuffer,
    }
_CALLABLE = {_dtype, _encode, _reconstruct, _scalar, _frombuffer}


# The unpickler written in Python: its memo is a dict, where the C one makes a table as large as an index in the file.
class _Unpickler(pickle._Unpickler):
    # Set by the base class, which its type stubs leave out.
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.length = len(data)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"asks for {module}.{name}, which is not admitted: nothing is run from a file"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("refers to an object outside of the file")

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if function is OrderedDict and arguments == ():
            self.stack[-1] = OrderedDict()
        elif function in _CALLABLE and isinstance(arguments, tuple):
            self.stack[-1] = function(*arguments)
        else:
            raise pickle.UnpicklingError("calls something that is not admitted")

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        # In place, as earlier references to the object must see what it becomes; only checked states are set.
        if isinstance(target, np.dtype) and isinstance(state, tuple) and len(state) >= 2:
            if state[1] not in ("<", ">", "|", "="):
                raise pickle.UnpicklingError("a dtype is damaged")
            version, _, *rest = cast(tuple[Any, ...], target.__reduce__()[2])
            cast(Any, target).__setstate__((version, state[1], *rest))
        elif isinstance(target, np.ndarray) and isinstance(state, tuple) and len(state) == 5:
            _, shape, dtype, fortran, data = state
            _check_array(dtype, shape, data)
            cast(Any, target).__setstate__((1, shape, dtype, bool(fortran), data if dtype.hasobject else _bytes(data)))
        else:
            raise pickle.UnpicklingError("sets the state of something that is not admitted")

    def load_bytearray8(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        if size > self.length:
            raise pickle.UnpicklingError("pickle data was truncated")
        self.append(bytearray(self.read(size)))

    def refuse(self) -> None:
        raise pickle.UnpicklingError("builds an object in a way that is not admitted")

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8
    for _opcode in (pickle.INST, pickle.OBJ, pickle.NEWOBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4):
        dispatch[_opcode[0]] = refuse
