"""Images of nibabel as the library takes them."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Union

import nibabel
import numpy

from sliceseg._errors import UsageError
from sliceseg._library import Handle, call, grid, path_bytes

#: What stands for an image: its file, or an image of nibabel.
ImageOrPath = Union[str, "os.PathLike[str]", nibabel.spatialimages.SpatialImage]


def voxels(image: nibabel.spatialimages.SpatialImage, kind: Any, volume: int | None) -> numpy.ndarray:
    """The voxels of an image, first axis fastest; no copy where they lie so in that type already."""
    data = numpy.asanyarray(image.dataobj)
    if data.ndim > 3 and all(count == 1 for count in data.shape[3:]):
        data = data.reshape(data.shape[:3])
    if volume is not None and data.ndim == 4 and not 0 <= volume < data.shape[3]:
        raise UsageError(
            f"there is no volume {volume} among {data.shape[3]}; choose from 0 on",
            code="usage.argument",
        )
    if volume is not None and data.ndim == 4:
        data = data[..., volume]
    if data.ndim != 3:
        raise UsageError(
            f"an image of shape {data.shape} is not one 3-D volume; name one by volume=",
            code="usage.argument",
        )
    return numpy.asarray(data, dtype=kind, order="F")


def scan(image: ImageOrPath, volume: int | None) -> Handle:
    """A scan in the library."""
    handle = Handle("volume")
    if isinstance(image, (str, os.PathLike)):
        call("volume_read", path_bytes(image), -1 if volume is None else volume, handle.address)
    else:
        data = voxels(image, numpy.float32, volume)
        size, affine = grid(data.shape, image.affine)
        call("volume_make", data.ctypes.data_as(ctypes.c_void_p), size, affine, handle.address)
    return handle


def labels(image: ImageOrPath) -> Handle:
    """A label map in the library."""
    handle = Handle("labels")
    if isinstance(image, (str, os.PathLike)):
        call("labels_read", path_bytes(image), handle.address)
        return handle
    data = numpy.asanyarray(image.dataobj)
    if data.dtype.kind == "f":
        rounded = numpy.rint(data)
        if not numpy.all(numpy.abs(data - rounded) < 1e-3):
            raise UsageError(
                "an image of labels holds values that are not whole; name a label map",
                code="volume.notALabel",
            )
        data = rounded
    if data.size and (data.min() < 0 or data.max() > 65535):
        raise UsageError(
            "an image of labels holds values beyond 0 to 65535; name a label map",
            code="volume.notALabel",
        )
    data = voxels(nibabel.Nifti1Image(data.astype(numpy.uint16), image.affine), numpy.uint16, None)
    size, affine = grid(data.shape, image.affine)
    call("labels_make", data.ctypes.data_as(ctypes.c_void_p), size, affine, handle.address)
    return handle
