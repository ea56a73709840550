"""Segmentation of scans."""

from __future__ import annotations

import ctypes
import os
import threading
from functools import cached_property, lru_cache
from typing import Any, Callable, NamedTuple, Optional, Sequence

import nibabel
import numpy

from sliceseg import _images
from sliceseg._images import ImageOrPath
from sliceseg._library import Handle, Progress, call, empty_grid, library, path_bytes, text

#: Called with a stage, such as ``"coronal"``, and the share of the work that is done; a true result stops it.
ProgressFunction = Callable[[str, float], Optional[bool]]


class Structure(NamedTuple):
    """A structure that a model finds."""

    label: int
    name: str
    color: tuple[int, int, int]


class StructureVolume(NamedTuple):
    """A structure's volume in a scan: a row of ``NAME_volumes.tsv``."""

    label: int
    name: str
    voxels: int
    volume_mm3: float
    #: The mean probability over the structure's voxels, NaN where it is not known.
    confidence: float


class Segmentation:
    """The labels of a scan on its own grid.

    ``labels`` shares the memory of the native library. Pass ``volumes`` to ``pandas.DataFrame`` for a frame.
    """

    def __init__(self, handle: Handle, scan: ImageOrPath, structures: tuple[Structure, ...]) -> None:
        self._handle = handle
        self._scan = scan
        #: The structures of the model; class 0 of the probabilities is background, then follow these.
        self.structures = structures
        size, affine = empty_grid()
        library.sliceseg_segmentation_grid(handle.pointer, size, affine)
        self._shape = (size[0], size[1], size[2])
        #: Voxel indices to RAS+ millimetres, 4x4.
        self.affine: numpy.ndarray = numpy.vstack(
            [numpy.array(affine[:], dtype=float).reshape(3, 4), [0, 0, 0, 1]]
        )

    @cached_property
    def labels(self) -> numpy.ndarray:
        """The labels, ``uint16`` of the scan's shape, which cannot be written to."""
        count = self._shape[0] * self._shape[1] * self._shape[2]
        address = library.sliceseg_segmentation_labels(self._handle.pointer)
        memory = (ctypes.c_uint16 * count).from_address(address)
        # The array keeps the memory's owner alive.
        memory.owner = self._handle  # type: ignore[attr-defined]
        array = numpy.frombuffer(memory, dtype=numpy.uint16).reshape(self._shape, order="F")
        array.flags.writeable = False
        return array

    @cached_property
    def image(self) -> nibabel.Nifti1Image:
        """The labels as a NIfTI image, with the header of the scan where that is NIfTI."""
        scan = nibabel.load(self._scan) if isinstance(self._scan, (str, os.PathLike)) else self._scan
        kind = numpy.uint8 if self.labels.max(initial=0) <= 255 else numpy.uint16
        labels = self.labels.astype(kind)
        if not isinstance(scan, nibabel.Nifti1Pair):
            return nibabel.Nifti1Image(labels, self.affine)
        image_type = nibabel.Nifti2Image if isinstance(scan, nibabel.Nifti2Pair) else nibabel.Nifti1Image
        header = image_type.header_class.from_header(scan.header)
        header.set_data_shape(self._shape)
        header.set_data_dtype(kind)
        header.set_slope_inter(1, 0)
        header.set_intent("label")
        header["cal_min"], header["cal_max"] = 0, 0
        image = image_type(labels, scan.affine, header)
        image.set_data_dtype(kind)
        return image

    @cached_property
    def volumes(self) -> tuple[StructureVolume, ...]:
        """Voxels and volume of each structure, in the order of the model."""
        count = library.sliceseg_segmentation_structure_count(self._handle.pointer)
        records = (library.sliceseg_segmentation_structure(self._handle.pointer, n) for n in range(count))
        return tuple(
            StructureVolume(
                record.label,
                text(record.name),
                record.voxel_count,
                record.volume_cubic_millimeters,
                record.mean_probability,
            )
            for record in records
        )

    @cached_property
    def probabilities(self) -> numpy.ndarray:
        """The probabilities of all classes, ``float32`` of the scan's shape and one axis of classes.

        Class 0 is background, then follow ``structures``. They are rounded to 1/65535.

        Raises:
            UsageError: Where the scan was segmented without ``probabilities=True``.
        """
        classes = len(self.structures) + 1
        count = self._shape[0] * self._shape[1] * self._shape[2]
        result = numpy.empty((*self._shape, classes), dtype=numpy.float32, order="F")
        stored = numpy.empty(count, dtype=numpy.uint16)
        place = stored.ctypes.data_as(ctypes.POINTER(ctypes.c_uint16))
        for number in range(classes):
            call("segmentation_probabilities", self._handle.pointer, number, place)
            result[..., number] = stored.reshape(self._shape, order="F")
        result *= numpy.float32(1 / 65535)
        return result

    @property
    def computation(self) -> str:
        """The precision and the path of computation, such as the instruction set."""
        return text(library.sliceseg_segmentation_computation(self._handle.pointer))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the labels as ``segment-brain`` does, byte by byte where the scan was given by its file.

        Args:
            path: A ``.nii``, ``.nii.gz``, ``.mgz`` or ``.mgh`` file.

        Raises:
            SliceSegError: Where it cannot be written.
        """
        call("segmentation_write", self._handle.pointer, path_bytes(path))


class Model:
    """A loaded model. It segments one scan at a time; further calls wait for their turn.

    Args:
        name: The name of a shipped model, or a model's folder.
        planes: The planes to use, such as ``["coronal", "axial"]``; by default all of the model.
        precision: ``"auto"``, ``"bf16"``, ``"fp32"`` or ``"int8"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda:0"``; GPUs need LibTorch.
        probabilities: Whether those of all classes are kept.
        tta: ``"flip"`` also segments the mirror image and averages the probabilities.
        interpolation: ``"linear"`` or ``"cubic"``; by default the model's.

    Raises:
        SliceSegError: Where there is no such model or it cannot be read.
        UsageError: Where an option cannot be met.
    """

    def __init__(
        self,
        name: str | os.PathLike[str] = "brain-any",
        *,
        planes: Sequence[str] | None = None,
        precision: str = "auto",
        device: str = "auto",
        probabilities: bool = False,
        tta: str | None = None,
        interpolation: str | None = None,
    ) -> None:
        options = [f"precision={precision}", f"device={device}"]
        if planes is not None:
            options.append("planes=" + ",".join([planes] if isinstance(planes, str) else planes))
        if probabilities:
            options.append("probabilities=true")
        if tta is not None:
            options.append(f"tta={tta}")
        if interpolation is not None:
            options.append(f"interpolation={interpolation}")
        texts = [option.encode() for option in options]
        array = (ctypes.c_char_p * (len(texts) + 1))(*texts, None)
        self._handle = Handle("model")
        call("model_load", path_bytes(name), array, self._handle.address)
        pointer = self._handle.pointer
        records = (
            library.sliceseg_model_structure(pointer, n)
            for n in range(library.sliceseg_model_structure_count(pointer))
        )
        #: The structures that it finds, in the order of the classes 1, 2, ….
        self.structures = tuple(
            Structure(record.label, text(record.name), (record.red, record.green, record.blue))
            for record in records
        )

    @property
    def name(self) -> str:
        """The model's name."""
        return text(library.sliceseg_model_name(self._handle.pointer))

    @property
    def licence(self) -> str:
        """The licence of its weights."""
        return text(library.sliceseg_model_licence(self._handle.pointer))

    def segment(
        self,
        image: ImageOrPath,
        *,
        volume: int | None = None,
        progress: ProgressFunction | None = None,
    ) -> Segmentation:
        """Segments a scan.

        Args:
            image: A NIfTI or MGH file, or an image of nibabel.
            volume: Which volume of a 4-D scan, from 0.
            progress: Called on another thread with each stage and the share of the work that is done.

        Returns:
            The labels on the scan's own grid.

        Raises:
            SliceSegError: Where the scan cannot be read or segmented.
            StoppedError: Where ``progress`` asked for it.
        """
        scan = _images.scan(image, volume)
        result = Handle("segmentation")
        stops = threading.Event()
        outcome: list[BaseException] = []

        def report(stage: bytes, fraction: float, _: Any) -> int:
            if stops.is_set():
                return 1
            try:
                return int(progress is not None and bool(progress(text(stage), fraction)))
            except BaseException as error:  # it goes on where the result is waited for
                outcome.append(error)
                return 1

        callback = Progress(report)

        def work() -> None:
            try:
                call("segment", self._handle.pointer, scan.pointer, callback, None, result.address)
            except BaseException as error:
                outcome.append(error)

        # Signals reach Python on the main thread only, between its instructions: the native call runs on
        # another one, so that Ctrl-C comes through where it is waited for.
        thread = threading.Thread(target=work, name="sliceseg")
        thread.start()
        try:
            thread.join()
        except BaseException:
            stops.set()
            thread.join()
            raise
        if outcome:
            raise outcome[0]
        return Segmentation(result, image, self.structures)


@lru_cache(maxsize=4)
def _loaded(name: str, options: tuple[tuple[str, Any], ...]) -> Model:
    return Model(name, **dict(options))


def segment(
    image: ImageOrPath,
    model: str | os.PathLike[str] | Model = "brain-any",
    *,
    volume: int | None = None,
    progress: ProgressFunction | None = None,
    **options: Any,
) -> Segmentation:
    """Segments a scan with a model; the last few models stay loaded.

    Args:
        image: A NIfTI or MGH file, or an image of nibabel.
        model: A shipped model's name, a model's folder, or a loaded :class:`Model`.
        volume: Which volume of a 4-D scan, from 0.
        progress: Called on another thread with each stage and the share of the work that is done.
        **options: Those of :class:`Model`, such as ``probabilities=True`` or ``precision="fp32"``.

    Returns:
        The labels on the scan's own grid.

    Raises:
        SliceSegError: Where scan or model cannot be read, or the scan cannot be segmented.
    """
    if isinstance(model, Model):
        if options:
            raise TypeError("options belong to the loading of a model: pass them to Model()")
        loaded = model
    else:
        hashable = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
        loaded = _loaded(os.fspath(model), tuple(sorted(hashable.items())))
    return loaded.segment(image, volume=volume, progress=progress)
