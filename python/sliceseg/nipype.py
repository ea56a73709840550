"""A Nipype interface of `segment-brain`, for nodes of workflows; it needs ``pip install sliceseg[nipype]``.

    >>> from nipype import Node
    >>> from sliceseg.nipype import SegmentBrain
    >>> node = Node(SegmentBrain(in_file="/data/t1.nii.gz", num_threads=4), name="segment")
    >>> node.run().outputs.labels
    '.../segment/t1_dseg.nii.gz'
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nipype.interfaces.base import (
    CommandLine,
    CommandLineInputSpec,
    Directory,
    File,
    TraitedSpec,
    traits,
)


class SegmentBrainInputSpec(CommandLineInputSpec):  # type: ignore[misc]
    """The inputs of :class:`SegmentBrain`."""

    in_file = File(exists=True, mandatory=True, position=0, argstr="%s", desc="a scan, NIfTI or MGH")
    out_dir = Directory(
        ".", usedefault=True, position=1, argstr="%s", desc="where results go; the node's folder"
    )
    model = traits.Str(argstr="--model %s", desc="a shipped model's name or a model's folder")
    planes = traits.List(
        traits.Enum("coronal", "axial", "sagittal"), argstr="--planes %s", sep=",", desc="planes to use"
    )
    precision = traits.Enum("auto", "bf16", "fp32", "int8", argstr="--precision %s", desc="precision")
    num_threads = traits.Int(1, usedefault=True, argstr="--threads %d", nohash=True, desc="threads")


class SegmentBrainOutputSpec(TraitedSpec):  # type: ignore[misc]
    """The outputs of :class:`SegmentBrain`."""

    labels = File(exists=True, desc="the label map on the scan's grid")
    volumes = File(exists=True, desc="the table of volumes by structure")
    picture = File(exists=True, desc="the picture for quality control")
    record = File(exists=True, desc="what the labels were made from, as JSON")
    brain_mask = File(desc="the brain's mask, of models that look for it")


class SegmentBrain(CommandLine):  # type: ignore[misc]
    """Segments one scan with the command `segment-brain`."""

    _cmd = "segment-brain --quiet"
    input_spec = SegmentBrainInputSpec
    output_spec = SegmentBrainOutputSpec

    def _list_outputs(self) -> dict[str, Any]:
        scan = Path(self.inputs.in_file).name
        endings = (".nii.gz", ".nii", ".mgz", ".mgh")
        name = next((scan[: -len(end)] for end in endings if scan.lower().endswith(end)), scan)
        files = {
            "labels": "_dseg.nii.gz",
            "volumes": "_volumes.tsv",
            "picture": "_qc.png",
            "record": "_dseg.json",
            "brain_mask": "_desc-brain_mask.nii.gz",
        }
        folder = Path(self.inputs.out_dir).resolve()
        outputs: dict[str, Any] = self.output_spec().get()
        for output, end in files.items():
            path = folder / f"{name}{end}"
            if output != "brain_mask" or path.exists():
                outputs[output] = str(path)
        return outputs
