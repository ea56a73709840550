#!/bin/sh
# Unpacks LibTorch (libraries and headers) out of the CPU wheel of torch.
# Usage: fetch-libtorch.sh VERSION FOLDER
# pip looks first where it is configured to look, then at PyTorch's own index of CPU builds.
set -eu
version=$1
folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

wheel() {
    python3 -m pip download --quiet --disable-pip-version-check --no-deps \
        --only-binary=:all: --implementation cp --python-version 3.11 \
        --platform "manylinux_2_28_$(uname -m)" --dest "$work" "$@" "torch==$version+cpu"
}
echo "Fetching LibTorch $version (about 190 MB, once)"
wheel 2>"$work/log" || wheel --index-url https://download.pytorch.org/whl/cpu || {
    cat "$work/log" >&2
    echo "LibTorch $version could not be fetched; unpack it yourself and set LIBTORCH=/path." >&2
    exit 1
}
rm -rf "$folder" "$folder.partial"
mkdir -p "$folder.partial"
python3 - "$work" "$folder.partial" <<'PYTHON'
import glob, os, sys, zipfile
[wheel] = glob.glob(os.path.join(sys.argv[1], "torch-*.whl"))
skipped = ("libtorch_python", "libshm", "libjitbackend", "libtorchbind", "libbackend_with",
           "libaoti_custom")
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        parts = member.filename.split("/", 1)
        inner = parts[1] if len(parts) == 2 and parts[0] == "torch" else ""
        if not inner.startswith(("lib/", "include/")) or member.is_dir():
            continue
        if inner.startswith("lib/") and inner[4:].startswith(skipped):
            continue
        target = os.path.join(sys.argv[2], inner)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with archive.open(member) as source, open(target, "wb") as out:
            while chunk := source.read(1 << 22):
                out.write(chunk)
PYTHON
mv "$folder.partial" "$folder"
