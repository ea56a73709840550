#!/bin/sh
# Packs the Python package with the built programs and libraries as a wheel.
# Usage: make-wheel.sh BIN FOLDER: BIN holds the programs and libSliceSegC.so, FOLDER receives
# sliceseg-VERSION-py3-none-manylinux_2_N_ARCHITECTURE.whl, where 2.N is the oldest C library that it runs
# with. The same sources and packages give the same bytes.
set -eu
bin=$1
output=$2
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
sh "$here/scripts/install-packages.sh" python3
sh "$here/scripts/stage-programs.sh" "$bin" "$work/native"
# These come with the system, as manylinux has it: another module of the process may need newer ones.
rm "$work"/native/lib/libstdc++.so.* "$work"/native/lib/libgcc_s.so.*
rm "$work"/native/share/sliceseg/licences/libstdc++6.txt "$work"/native/share/sliceseg/licences/libgcc-s1.txt
sed -i '/^libstdc++6 \|^libgcc-s1 /d' "$work/native/share/sliceseg/licences/SOURCES.txt"
oldest=$(sh "$here/scripts/newest-glibc.sh" "$work"/native/libexec/* "$work"/native/lib/*)
python3 "$here/python/make_wheel.py" --native "$work/native" --output "$output" \
    --version "$(sh "$here/scripts/software-version.sh")" \
    --tag "py3-none-manylinux_$(echo "$oldest" | tr . _)_$(uname -m)" \
    --time "$(git -C "$here" log -1 --format=%ct)"
