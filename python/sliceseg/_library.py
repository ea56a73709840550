"""The native library: its declarations, which are those of SliceSeg.h, and calls that raise."""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_uint8, c_uint16, c_void_p
from pathlib import Path
from typing import Any

from sliceseg._errors import SliceSegError, StoppedError, UsageError

NATIVE = Path(__file__).parent / "_native"

OK, WRONG_USAGE, STOPPED = 0, 2, 3


class StructureRecord(ctypes.Structure):
    """SliceSegStructure."""

    _fields_ = [
        ("label", c_int32),
        ("name", c_char_p),
        ("red", c_uint8),
        ("green", c_uint8),
        ("blue", c_uint8),
        ("voxel_count", c_int64),
        ("volume_cubic_millimeters", c_double),
        ("mean_probability", c_double),
    ]


Progress = ctypes.CFUNCTYPE(c_int32, c_char_p, c_double, c_void_p)
_Handle = POINTER(c_void_p)
_Size = c_int64 * 3
_Affine = c_double * 12


def _load() -> ctypes.CDLL:
    path = os.environ.get("SLICESEG_LIBRARY") or str(NATIVE / "lib" / "libSliceSegC.so")
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"the native library '{path}' cannot be loaded ({error}); install the wheel of this "
            "system, or name the library in SLICESEG_LIBRARY"
        ) from error
    declarations: dict[str, tuple[Any, list[Any]]] = {
        "version": (c_char_p, []),
        "set_thread_count": (c_int32, [c_int32, _Handle]),
        "error_message": (c_char_p, [c_void_p]),
        "error_code": (c_char_p, [c_void_p]),
        "error_problem": (c_char_p, [c_void_p]),
        "error_next_step": (c_char_p, [c_void_p]),
        "error_path": (c_char_p, [c_void_p]),
        "error_free": (None, [c_void_p]),
        "model_load": (c_int32, [c_char_p, POINTER(c_char_p), _Handle, _Handle]),
        "model_free": (None, [c_void_p]),
        "model_name": (c_char_p, [c_void_p]),
        "model_licence": (c_char_p, [c_void_p]),
        "model_structure_count": (c_int32, [c_void_p]),
        "model_structure": (StructureRecord, [c_void_p, c_int32]),
        "volume_read": (c_int32, [c_char_p, c_int32, _Handle, _Handle]),
        "volume_make": (c_int32, [c_void_p, _Size, _Affine, _Handle, _Handle]),
        "volume_free": (None, [c_void_p]),
        "segment": (c_int32, [c_void_p, c_void_p, Progress, c_void_p, _Handle, _Handle]),
        "segmentation_free": (None, [c_void_p]),
        "segmentation_grid": (None, [c_void_p, _Size, _Affine]),
        "segmentation_labels": (c_void_p, [c_void_p]),
        "segmentation_structure_count": (c_int32, [c_void_p]),
        "segmentation_structure": (StructureRecord, [c_void_p, c_int32]),
        "segmentation_computation": (c_char_p, [c_void_p]),
        "segmentation_probabilities": (c_int32, [c_void_p, c_int32, POINTER(c_uint16), _Handle]),
        "segmentation_write": (c_int32, [c_void_p, c_char_p, _Handle]),
        "labels_read": (c_int32, [c_char_p, _Handle, _Handle]),
        "labels_make": (c_int32, [c_void_p, _Size, _Affine, _Handle, _Handle]),
        "labels_free": (None, [c_void_p]),
        "evaluate": (c_int32, [c_void_p, c_void_p, c_char_p, c_double, _Handle, _Handle]),
        "text_free": (None, [c_void_p]),
    }
    for name, (result, arguments) in declarations.items():
        function = getattr(library, "sliceseg_" + name)
        function.restype = result
        function.argtypes = arguments
    return library


library = _load()


def text(value: bytes | None) -> str:
    """A text of the library."""
    return (value or b"").decode("utf-8", "surrogateescape")


def path_bytes(path: str | os.PathLike[str]) -> bytes:
    """A path as the library takes it."""
    return os.fsencode(os.fspath(path))


def call(name: str, *arguments: Any) -> None:
    """Calls a function that can fail, and raises what it says."""
    error = c_void_p()
    status = getattr(library, "sliceseg_" + name)(*arguments, byref(error))
    if status == OK:
        return
    try:
        step, path = library.sliceseg_error_next_step(error), library.sliceseg_error_path(error)
        kind = {WRONG_USAGE: UsageError, STOPPED: StoppedError}.get(status, SliceSegError)
        raised = kind(
            text(library.sliceseg_error_message(error)),
            code=text(library.sliceseg_error_code(error)),
            path=text(path) if path is not None else None,
            problem=text(library.sliceseg_error_problem(error)),
            next_step=text(step) if step is not None else None,
        )
    finally:
        library.sliceseg_error_free(error)
    raise raised


class Handle:
    """Sole owner of an object of the library."""

    def __init__(self, kind: str) -> None:
        self.pointer = c_void_p()
        self._free = getattr(library, f"sliceseg_{kind}_free")

    def __del__(self) -> None:
        if self.pointer:
            self._free(self.pointer)
            self.pointer = c_void_p()

    @property
    def address(self) -> Any:
        """The address that the library writes the object to."""
        return byref(self.pointer)


def grid(shape: tuple[int, ...], affine: Any) -> tuple[Any, Any]:
    """A grid as the library takes it."""
    return _Size(*shape), _Affine(*(float(affine[row][column]) for row in range(3) for column in range(4)))


def empty_grid() -> tuple[Any, Any]:
    """Room for a grid."""
    return _Size(), _Affine()


def version() -> str:
    """The version of the native library, such as ``0.2.0``."""
    return text(library.sliceseg_version())


def set_thread_count(count: int) -> None:
    """Sets how many threads networks are computed on, for the whole process.

    Args:
        count: 1 to 1024; at first it is ``OMP_NUM_THREADS`` or the machine's cores.

    Raises:
        UsageError: Where it is another number.
    """
    call("set_thread_count", count)
