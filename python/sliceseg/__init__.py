"""Slice-wise segmentation of brain MRI, natively and without downloads.

    >>> import sliceseg
    >>> result = sliceseg.segment("t1.nii.gz")          # or a nibabel image
    >>> result.image                                     # a nibabel image of labels on the scan's grid
    >>> result.volumes[0]
    StructureVolume(label=2, name='Left-Cerebral-White-Matter', voxels=..., volume_mm3=...)
    >>> sliceseg.evaluate(result.image, "manual.nii.gz")["mean"]["17"]["Dice"]

Networks are computed in native code on all cores, with Python's lock released; calls may come from several
threads, and Ctrl-C stops them. Labels are those of the command `segment-brain`, which this package installs
with `sliceseg`. Processes that are forked after the first call cannot segment: choose multiprocessing's
"spawn". No model here is a medical device.
"""

from sliceseg._errors import SliceSegError, StoppedError, UsageError
from sliceseg._evaluation import Convention, evaluate
from sliceseg._library import set_thread_count, version
from sliceseg._segmentation import (
    Model,
    Segmentation,
    Structure,
    StructureVolume,
    segment,
)

__version__ = version()

__all__ = [
    "Convention",
    "Model",
    "Segmentation",
    "SliceSegError",
    "StoppedError",
    "Structure",
    "StructureVolume",
    "UsageError",
    "__version__",
    "evaluate",
    "segment",
    "set_thread_count",
    "version",
]
