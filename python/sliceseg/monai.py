"""A MONAI dictionary transform that adds labels to scans; it needs ``pip install sliceseg[monai]``.

    >>> from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
    >>> from sliceseg.monai import SegmentBraind
    >>> steps = [LoadImaged("image"), EnsureChannelFirstd("image"), SegmentBraind("image", "label")]
    >>> Compose(steps)({"image": "t1.nii.gz"})["label"].shape
    (1, 256, 256, 176)
"""

from __future__ import annotations

from typing import Any, Hashable, Mapping, Sequence, Union

import nibabel
import numpy
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform

from sliceseg._errors import UsageError
from sliceseg._segmentation import Model

Keys = Union[Hashable, Sequence[Hashable]]


class SegmentBraind(MapTransform):  # type: ignore[misc]
    """Segments scans and puts their labels beside them, on the scans' own grids.

    Args:
        keys: The keys of scans, as ``MetaTensor`` of shape ``[1, X, Y, Z]`` with an affine to RAS+ mm.
        label_keys: For each the key of its labels, a ``MetaTensor`` of the same shape and affine.
        model: A shipped model's name, or a model's folder.
        allow_missing_keys: Whether scans may be missing.
        **options: Those of :class:`sliceseg.Model`, such as ``precision="fp32"``.
    """

    def __init__(
        self,
        keys: Keys,
        label_keys: Keys,
        model: str = "brain-any",
        allow_missing_keys: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_keys: tuple[Hashable, ...]
        if isinstance(label_keys, str) or not isinstance(label_keys, Sequence):
            self.label_keys = (label_keys,)
        else:
            self.label_keys = tuple(label_keys)
        if len(self.label_keys) != len(self.keys):
            raise UsageError(
                f"{len(self.keys)} keys of scans and {len(self.label_keys)} of labels; name one for each",
                code="usage.argument",
            )
        self.model = Model(model, **options)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key, label_key in self.key_iterator(result, self.label_keys):
            scan = result[key]
            if not isinstance(scan, MetaTensor) or scan.ndim != 4 or scan.shape[0] != 1:
                raise UsageError(
                    f"'{key}' is no MetaTensor of shape [1, X, Y, Z]; put LoadImaged and EnsureChannelFirstd before",
                    code="usage.argument",
                )
            affine = numpy.asarray(scan.affine, dtype=float)
            voxels = numpy.asarray(scan[0].cpu(), dtype=numpy.float32)
            labels = self.model.segment(nibabel.Nifti1Image(voxels, affine)).labels
            tensor = torch.from_numpy(labels.astype(numpy.int32))[None]
            result[label_key] = MetaTensor(tensor, meta={**scan.meta, "affine": scan.affine})
        return result
