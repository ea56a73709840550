"""Evaluation of label maps."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Literal

from sliceseg import _images
from sliceseg._images import ImageOrPath
from sliceseg._library import call, library

#: A definition of metrics: DeepMind's, MONAI's or nnU-Net's.
Convention = Literal["surface-distance", "monai", "nnunet"]


def evaluate(
    prediction: ImageOrPath,
    reference: ImageOrPath,
    *,
    convention: Convention = "surface-distance",
    tolerance_mm: float = 1.0,
) -> dict[str, Any]:
    """Measures a label map against its reference: what ``sliceseg evaluate`` writes to ``summary.json``.

    ``result["mean"]["17"]["Dice"]`` is the Dice coefficient of label 17, ``result["structures"]`` has the
    names, and ``result["foreground_mean"]`` the means over structures; metrics that are not defined are
    ``None``.

    Args:
        prediction: A label map's file, or an image of nibabel.
        reference: The reference, on the same grid, however its axes are stored.
        convention: The definition of the metrics.
        tolerance_mm: The tolerance of the surface Dice.

    Returns:
        The summary of the one case.

    Raises:
        UsageError: Where the grids differ.
        SliceSegError: Where a file cannot be read.
    """
    predicted, referred = _images.labels(prediction), _images.labels(reference)
    result = ctypes.c_void_p()
    call(
        "evaluate",
        predicted.pointer,
        referred.pointer,
        convention.encode(),
        tolerance_mm,
        ctypes.byref(result),
    )
    try:
        summary: dict[str, Any] = json.loads(ctypes.string_at(result.value or 0))
    finally:
        library.sliceseg_text_free(result)
    return summary
