"""Tests of the installed wheel. Expected values come from the installed commands, on the same scans.

Run by scripts/test-wheel.sh, which makes the environment and the scans in $SLICESEG_TEST_FOLDER.
"""

import csv
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import numpy
import pytest

import sliceseg

FOLDER = Path(os.environ["SLICESEG_TEST_FOLDER"])
SCANS = sorted((FOLDER / "scans").glob("*.nii.gz"))
BIN = Path(sys.executable).parent


def labels_of_command(scan: Path, run: str = "phantom") -> Path:
    name = scan.name.removesuffix(".nii.gz")
    return FOLDER / run / f"{name}_dseg.nii.gz"


def voxels(path: Path) -> numpy.ndarray:
    return numpy.asarray(nibabel.load(path).dataobj)


@pytest.fixture(scope="module")
def result() -> sliceseg.Segmentation:
    return sliceseg.segment(SCANS[0], model="phantom", probabilities=True)


def test_labels_are_those_of_the_command(result: sliceseg.Segmentation) -> None:
    expected = voxels(labels_of_command(SCANS[0]))
    assert expected.max() > 0
    numpy.testing.assert_array_equal(result.labels, expected)


def test_saved_file_is_that_of_the_command_byte_by_byte(
    result: sliceseg.Segmentation, tmp_path: Path
) -> None:
    result.save(tmp_path / "labels.nii.gz")
    assert (tmp_path / "labels.nii.gz").read_bytes() == labels_of_command(SCANS[0]).read_bytes()


def test_image_lies_on_the_scans_grid_and_comes_back_from_a_file(
    result: sliceseg.Segmentation, tmp_path: Path
) -> None:
    scan, command = nibabel.load(SCANS[0]), nibabel.load(labels_of_command(SCANS[0]))
    numpy.testing.assert_array_equal(result.image.affine, scan.affine)
    assert result.image.get_data_dtype() == command.get_data_dtype()
    assert result.image.header.get_intent() == command.header.get_intent()
    nibabel.save(result.image, tmp_path / "image.nii.gz")
    numpy.testing.assert_array_equal(voxels(tmp_path / "image.nii.gz"), voxels(labels_of_command(SCANS[0])))


def test_images_of_nibabel_give_the_labels_of_their_files() -> None:
    for scan in SCANS:
        segmented = sliceseg.segment(nibabel.load(scan), model="phantom")
        numpy.testing.assert_array_equal(segmented.labels, voxels(labels_of_command(scan)))


def test_default_model_gives_the_labels_of_the_command() -> None:
    segmented = sliceseg.segment(SCANS[0])
    numpy.testing.assert_array_equal(segmented.labels, voxels(labels_of_command(SCANS[0], "any")))


def test_labels_share_memory_that_outlives_the_result() -> None:
    labels = sliceseg.segment(SCANS[1], model="phantom").labels
    assert labels.flags.f_contiguous and not labels.flags.owndata and not labels.flags.writeable
    copy = labels.copy()
    for _ in range(3):
        sliceseg.segment(SCANS[0], model="phantom")
    numpy.testing.assert_array_equal(labels, copy)
    numpy.testing.assert_array_equal(labels, voxels(labels_of_command(SCANS[1])))


def test_volumes_are_those_of_the_command(result: sliceseg.Segmentation) -> None:
    name = SCANS[0].name.removesuffix(".nii.gz")
    with open(FOLDER / "phantom" / f"{name}_volumes.tsv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == len(result.volumes) == 15
    for row, volume in zip(rows, result.volumes):
        assert (int(row["index"]), row["name"], int(row["voxels"])) == volume[:3]
        assert f"{volume.volume_mm3:.3f}" == row["volume_mm3"]
        assert volume.voxels == numpy.count_nonzero(result.labels == volume.label)


def test_probabilities_are_those_of_the_command(result: sliceseg.Segmentation) -> None:
    stored = nibabel.load(str(labels_of_command(SCANS[0])).replace("_dseg", "_probseg"))
    expected = stored.get_fdata(dtype=numpy.float32)
    assert result.probabilities.shape == expected.shape == (*result.labels.shape, 16)
    numpy.testing.assert_allclose(result.probabilities, expected, atol=1e-7)
    numpy.testing.assert_allclose(result.probabilities.sum(axis=-1), 1, atol=16 / 65535)


def test_probabilities_have_to_be_asked_for() -> None:
    with pytest.raises(sliceseg.UsageError, match="without probabilities"):
        sliceseg.segment(SCANS[0], model="phantom").probabilities


def test_evaluation_is_that_of_the_command() -> None:
    prediction = labels_of_command(SCANS[0])
    reference = FOLDER / "references" / prediction.name
    measured = sliceseg.evaluate(prediction, reference)
    output = FOLDER / "scores"
    subprocess.run(
        [BIN / "sliceseg", "evaluate", "--prediction", prediction, "--reference", reference]
        + ["--output", output, "--no-report"],
        check=True, capture_output=True,
    )  # fmt: skip
    expected = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    assert measured == expected
    # Dice by its definition.
    first, second = voxels(prediction) == 2, voxels(reference) == 2
    dice = 2 * (first & second).sum() / (first.sum() + second.sum())
    assert measured["mean"]["2"]["Dice"] == pytest.approx(dice, abs=1e-12)


def test_evaluation_of_images_gives_the_figures_of_files() -> None:
    prediction = labels_of_command(SCANS[1])
    reference = FOLDER / "references" / prediction.name
    files = sliceseg.evaluate(prediction, reference, convention="monai", tolerance_mm=2)
    images = sliceseg.evaluate(
        nibabel.load(prediction), nibabel.load(reference), convention="monai", tolerance_mm=2
    )
    assert files["mean"] == images["mean"]
    assert files["convention"] == "monai" and files["tolerance_mm"] == 2


def test_two_calls_at_once_with_two_models_and_with_one() -> None:
    models = [sliceseg.Model("phantom"), sliceseg.Model("phantom"), None]
    models[2] = models[0]
    with ThreadPoolExecutor(3) as pool:
        jobs = [(model, scan) for model in models for scan in SCANS]
        results = list(pool.map(lambda job: job[0].segment(job[1]).labels.copy(), jobs))
    for (_, scan), labels in zip(jobs, results):
        numpy.testing.assert_array_equal(labels, voxels(labels_of_command(scan)))


def test_python_runs_while_a_scan_is_segmented() -> None:
    done = threading.Event()
    counted = 0

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    sliceseg.segment(SCANS[0], model="phantom")
    done.set()
    thread.join()
    assert counted > 20


def test_progress_is_told_and_stops_the_work() -> None:
    calls: list[tuple[str, float]] = []
    sliceseg.segment(SCANS[0], model="phantom", progress=lambda *call: calls.append(call))
    fractions = [fraction for _, fraction in calls]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert {"conform", "coronal", "axial", "sagittal", "restore"} == {stage for stage, _ in calls}
    with pytest.raises(sliceseg.StoppedError) as raised:
        sliceseg.segment(SCANS[0], model="phantom", progress=lambda stage, _: stage == "axial")
    assert raised.value.code == "stopped"


def test_what_progress_raises_is_raised() -> None:
    def fail(stage: str, fraction: float) -> None:
        raise KeyError(stage)

    with pytest.raises(KeyError, match="conform"):
        sliceseg.segment(SCANS[0], model="phantom", progress=fail)


def test_ctrl_c_ends_a_call_and_leaves_the_model_usable() -> None:
    program = (
        "import os, signal, sys, threading, time, sliceseg\n"
        "model = sliceseg.Model('brain-any', precision='fp32')\n"
        "def interrupt(stage, fraction, sent=[]):\n"
        "    if stage == 'coronal' and not sent:\n"
        "        sent.append(1); os.kill(os.getpid(), signal.SIGINT)\n"
        "start = time.monotonic()\n"
        "try:\n"
        "    model.segment(sys.argv[1], progress=interrupt)\n"
        "    print('finished')\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
        "print(int(model.segment(sys.argv[1]).labels.max()) > 0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, SCANS[0]], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["interrupted", "True"]
    assert run.stderr == ""


def test_errors_tell_code_path_and_next_step(tmp_path: Path) -> None:
    cut = tmp_path / "cut.nii"
    plain = nibabel.load(SCANS[0])
    nibabel.save(nibabel.Nifti1Image(numpy.asarray(plain.dataobj), plain.affine), cut)
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(sliceseg.SliceSegError) as raised:
        sliceseg.segment(cut, model="phantom")
    error = raised.value
    assert (error.code, error.path) == ("volume.truncated", str(cut))
    assert error.next_step and str(error) == f"{error.problem}; {error.next_step}."
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.code) == (type(error), str(error), error.code)
    # The command says the same.
    run = subprocess.run(
        [BIN / "segment-brain", cut, tmp_path / "out", "--model", "phantom"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 1 and str(error) in run.stderr


@pytest.mark.parametrize(
    ("model", "options", "kind", "code"),
    [
        ("none", {}, sliceseg.SliceSegError, "model.unknownModel"),
        ("phantom", {"planes": ["oblique"]}, sliceseg.UsageError, "usage.argument"),
        ("phantom", {"precision": "fp64"}, sliceseg.UsageError, "usage.argument"),
        ("phantom", {"device": "cuda:7"}, sliceseg.SliceSegError, None),
        ("phantom", {"tta": "rotate"}, sliceseg.UsageError, "usage.argument"),
    ],
)
def test_wrong_options_are_refused(model: str, options: dict, kind: type, code: str) -> None:
    with pytest.raises(kind) as raised:
        sliceseg.Model(model, **options)
    assert code is None or raised.value.code == code


def test_images_that_are_no_scan_are_refused() -> None:
    flat = nibabel.Nifti1Image(numpy.zeros((20, 20, 20), numpy.float32), numpy.eye(4))
    with pytest.raises(sliceseg.SliceSegError) as raised:
        sliceseg.segment(flat, model="phantom")
    assert raised.value.code == "scan.noContrast"
    series = nibabel.Nifti1Image(numpy.zeros((8, 8, 8, 2), numpy.float32), numpy.eye(4))
    with pytest.raises(sliceseg.UsageError, match="volume="):
        sliceseg.segment(series, model="phantom")


def test_images_that_are_no_label_map_are_refused() -> None:
    reference = labels_of_command(SCANS[0])
    for value in (0.5, -1.0, 70000.0):
        image = nibabel.Nifti1Image(numpy.full((4, 4, 4), value), numpy.eye(4))
        with pytest.raises(sliceseg.UsageError) as raised:
            sliceseg.evaluate(image, reference)
        assert raised.value.code == "volume.notALabel"


def test_a_volume_of_a_series_is_segmented() -> None:
    scan = nibabel.load(SCANS[0])
    data = numpy.asarray(scan.dataobj)
    series = nibabel.Nifti1Image(numpy.stack([data * 0, data], axis=-1), scan.affine)
    segmented = sliceseg.segment(series, model="phantom", volume=1)
    numpy.testing.assert_array_equal(segmented.labels, voxels(labels_of_command(SCANS[0])))


def test_maps_on_different_grids_are_not_compared() -> None:
    prediction = labels_of_command(SCANS[0])
    moved = nibabel.load(prediction)
    affine = moved.affine.copy()
    affine[:3, 3] += 20
    other = nibabel.Nifti1Image(numpy.asarray(moved.dataobj), affine)
    with pytest.raises(sliceseg.UsageError, match="different grids") as raised:
        sliceseg.evaluate(other, prediction)
    assert raised.value.code == "usage.input"


def test_axes_may_be_stored_otherwise() -> None:
    prediction = labels_of_command(SCANS[0])
    reference = FOLDER / "references" / prediction.name
    turned = nibabel.as_closest_canonical(nibabel.load(prediction))
    assert (
        sliceseg.evaluate(turned, reference)["foreground_mean"]
        == sliceseg.evaluate(nibabel.load(prediction), reference)["foreground_mean"]
    )


@pytest.mark.parametrize("program", ["segment-brain", "sliceseg"])
def test_commands_are_installed_and_tell_the_version(program: str) -> None:
    run = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[0] == f"{program} {sliceseg.__version__}"
    assert "engine: compiled plans" in run.stdout


def test_commands_get_signals_and_exit_statuses() -> None:
    wrong = subprocess.run([BIN / "sliceseg", "evaluate"], capture_output=True)
    assert wrong.returncode == 2
    output = FOLDER / "interrupted"
    process = subprocess.Popen(
        [BIN / "segment-brain", *SCANS, output, "--model", "brain-any", "--quiet"]
    )
    while not list(output.glob("*_dseg.json")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130


def test_other_modules_keep_their_libraries() -> None:
    # Those that this package carries along must not stand in for the interpreter's.
    program = (
        "import sliceseg, sys\n"
        "import ssl, sqlite3, zlib, hashlib\n"
        "sqlite3.connect(':memory:').execute('select 1'); zlib.compress(b'x'); hashlib.sha256(b'x')\n"
        "maps = open('/proc/self/maps').read()\n"
        "print(ssl.OPENSSL_VERSION, 'libcrypto-sliceseg' in maps)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("OpenSSL") and run.stdout.strip().endswith("True")


def test_a_node_of_nipype_writes_what_the_command_writes(tmp_path: Path) -> None:
    from nipype import Node, config
    from sliceseg.nipype import SegmentBrain

    config.set("execution", "poll_sleep_duration", "0")
    interface = SegmentBrain(in_file=str(SCANS[0]), model="phantom", num_threads=1)
    assert interface.cmdline == f"segment-brain --quiet {SCANS[0]} . --model phantom --threads 1"
    node = Node(interface, name="segment", base_dir=str(tmp_path))
    outputs = node.run().outputs
    expected = labels_of_command(SCANS[0])
    assert Path(outputs.labels).read_bytes() == expected.read_bytes()
    volumes = expected.with_name(expected.name.replace("_dseg.nii.gz", "_volumes.tsv"))
    assert Path(outputs.volumes).read_text() == volumes.read_text()
    assert json.loads(Path(outputs.record).read_text())["model"]["name"] == "phantom"
    assert Path(outputs.picture).read_bytes().startswith(b"\x89PNG")


def test_a_transform_of_monai_gives_the_labels_of_the_command() -> None:
    from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged
    from sliceseg.monai import SegmentBraind

    steps = Compose(
        [
            LoadImaged("image"),
            EnsureChannelFirstd("image"),
            SegmentBraind("image", "label", model="phantom"),
        ]
    )
    result = steps({"image": str(SCANS[0])})
    expected = nibabel.load(labels_of_command(SCANS[0]))
    assert result["label"].shape == result["image"].shape
    numpy.testing.assert_array_equal(result["label"][0].numpy(), voxels(labels_of_command(SCANS[0])))
    numpy.testing.assert_allclose(result["label"].affine.numpy(), expected.affine, atol=1e-6)
    with pytest.raises(sliceseg.UsageError, match="no MetaTensor"):
        SegmentBraind("image", "label", model="phantom")({"image": numpy.zeros((1, 2, 2, 2))})
    with pytest.raises(sliceseg.UsageError, match="one for each"):
        SegmentBraind(["a", "b"], "label", model="phantom")
