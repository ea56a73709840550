#!/bin/sh
# Segments a tiny scan on emulated processors that lack what this one may have: with AVX2 and no AVX-512
# (Haswell), and without AVX (Nehalem). Each has to end with the labels that this processor gives where
# SLICESEG_KERNELS bounds it alike. Usage: test-emulated.sh FOLDER, which holds the programs.
set -eu
[ "$(uname -m)" = x86_64 ] || exit 0
here=$(cd "$(dirname "$0")/.." && pwd)
bin=$1
if ! sh "$here/scripts/install-packages.sh" qemu-user; then
    echo "Emulated processors are not tested: qemu-user is missing."
    case ${CI:-} in
    "" | 0 | false) exit 0 ;;
    *) exit 1 ;;
    esac
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
PYTHONPATH=$here/fixtures/checks python3 -c '
import sys
from tiny_scans import make_tiny_scans
make_tiny_scans(sys.argv[1], sys.argv[2], 1)' "$bin/sliceseg" "$work/scans"

# segment OUTPUT COMMAND...: COMMAND stands before the program.
segment() {
    output=$1
    shift
    if ! OMP_NUM_THREADS=1 "$@" "$bin/segment-brain" "$work/scans" "$work/$output" --model phantom \
        --planes axial --precision fp32 --threads 1 >"$work/$output.log" 2>&1; then
        cat "$work/$output.log"
        echo "A scan cannot be segmented on $output"
        exit 1
    fi
}
for pair in Haswell:avx2 Nehalem:baseline; do
    processor=${pair%:*} level=${pair#*:}
    # Where this processor lacks AVX2, its own highest is compared.
    grep -qw -m1 avx2 /proc/cpuinfo || level=baseline
    segment "$level" env SLICESEG_KERNELS="$level"
    segment "$processor" qemu-x86_64 -cpu "$processor"
    cmp "$work/$level/tiny-001_dseg.nii.gz" "$work/$processor/tiny-001_dseg.nii.gz"
    echo "Emulated $processor: the labels of SLICESEG_KERNELS=$level"
done
