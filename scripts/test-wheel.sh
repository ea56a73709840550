#!/bin/sh
# Installs the wheel in a fresh virtual environment, with numpy and nibabel from PyPI, and runs its tests:
# what the package gives has to be what the installed commands write. Then auditwheel has to agree with the
# wheel's name, and the types with mypy. Usage: test-wheel.sh WHEEL
set -eu
wheel=$(readlink -f "$1")
here=$(cd "$(dirname "$0")/.." && pwd)
sh "$here/scripts/install-packages.sh" python3-venv patchelf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
# The interpreter on the path first, else Debian's, for which python3-venv is installed.
for python in python3 /usr/bin/python3; do
    ! "$python" -m venv "$work/venv" >"$work/log" 2>&1 || break
done
pip() { "$work/venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install "$wheel"
# For MONAI. pip looks first where it is configured to look, then at PyTorch's own index of CPU builds.
torch=torch==$(sed -n 's/^TORCH_VERSION := //p' "$here/Makefile")+cpu
pip install "$torch" 2>"$work/log" || pip install --index-url https://download.pytorch.org/whl/cpu "$torch"
pip install -r "$here/python/tests/requirements.txt"

cd "$work"
bin=$work/venv/bin
"$bin/sliceseg" phantom --output scans --references references --count 2 --seed 2024 >log
# The references have the names of predictions.
"$bin/segment-brain" scans phantom --model phantom --probabilities --quiet
"$bin/segment-brain" "$(ls scans/*.nii.gz | head -1)" any --quiet
SLICESEG_TEST_FOLDER=$work "$bin/python" -m pytest --quiet -p no:cacheprovider "$here/python/tests"
"$bin/auditwheel" show "$wheel" >log
tag=$(basename "$wheel" .whl)
if ! grep -q "\"${tag##*-none-}\"" log; then
    cat log >&2
    echo "auditwheel names another platform than the wheel." >&2
    exit 1
fi
echo "auditwheel agrees: ${tag##*-none-}"
"$bin/mypy" --no-error-summary --cache-dir="$work/mypy" --ignore-missing-imports "$here/python/sliceseg"
echo "mypy finds no fault in the types"
