#!/bin/sh
# Makes a virtual environment of what the tests check against outside of Swift: ONNX Runtime and
# Snakemake, as fixtures/checks/requirements-checks.txt pins them. Usage: install-checkers.sh FOLDER
# A package that cannot be had is named; under CI=true that is a failure.
set -eu
folder=$1
requirements=$(dirname "$0")/../fixtures/checks/requirements-checks.txt
stamp=$folder/ready-$(sha256sum "$requirements" | cut -c 1-16)
[ ! -e "$stamp" ] || exit 0
log=$(mktemp)
trap 'rm -f "$log"' EXIT INT TERM

# The interpreter on the path first, else Debian's, for which python3-venv is installed.
environment() {
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>>"$log" &&
            "$python" -m venv --clear "$folder" >>"$log" 2>&1; then
            return 0
        fi
    done
    echo "no Python of version 3.11 or later makes virtual environments" >>"$log"
    return 1
}
echo "Setting up ONNX Runtime and Snakemake for the tests in '$folder' (about 150 MB, once)"
if environment && "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
    -r "$requirements" >>"$log" 2>&1; then
    touch "$stamp"
    exit 0
fi
cat "$log" >&2
echo "Tests with ONNX Runtime and Snakemake cannot run: the packages in" \
    "fixtures/checks/requirements-checks.txt could not be installed; see above, then 'make checkers'." >&2
case ${CI:-} in
"" | 0 | false) ;;
*) exit 1 ;;
esac
