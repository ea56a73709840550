#!/bin/sh
# Runs the archive in bare Debians, each made by debootstrap once and kept in .deps/bare: without a network,
# as an ordinary user whose home cannot be written. Phantom heads are made, segmented by two models and
# evaluated; scans and labels have to be those of the build tree, byte by byte. A program in C, compiled here
# against the archive's header, does the same where the C library is new enough for it.
# Usage: test-dist.sh ARCHIVE BIN [RELEASE...]: BIN holds the built programs; by default bookworm and
# bullseye, whose C library is older than what the programs were built for.
set -eu
archive=$(readlink -f "$1")
bin=$(readlink -f "$2")
shift 2
[ $# -gt 0 ] || set -- bookworm bullseye
here=$(cd "$(dirname "$0")/.." && pwd)
if [ "$(id -u)" != 0 ]; then
    echo "test-dist.sh makes a bare Debian and changes into it; run it as root." >&2
    exit 1
fi
sh "$here/scripts/install-packages.sh" debootstrap gcc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# What is run in the build tree and in each Debian; $1 is the folder of the programs.
cat >"$work/job.sh" <<'JOB'
set -eu
bin=$1
"$bin/sliceseg" phantom --output scans --references references --count 2 --seed 2024
"$bin/segment-brain" scans phantom --model phantom --reference references --quiet
"$bin/segment-brain" scans/phantom-001.nii.gz any --model brain-any --quiet
"$bin/sliceseg" evaluate --prediction phantom --reference references --output scores >/dev/null
"$bin/sliceseg" info scans/phantom-001.nii.gz >/dev/null
JOB
results="scans/*.nii.gz references/*.nii.gz phantom/*_dseg.nii.gz phantom/volumes.tsv any/*_dseg.nii.gz
    scores/metrics.tsv"
mkdir "$work/tree"
(cd "$work/tree" && sh "$work/job.sh" "$bin" >/dev/null)

for release in "$@"; do
    bare=$here/.deps/bare/$release
    if [ ! -e "$bare.ready" ]; then
        echo "Making a bare Debian of $release in '$bare' (about 300 MB, once)"
        rm -rf "$bare"
        mkdir -p "$bare"
        debootstrap --variant=minbase "$release" "$bare" >"$work/debootstrap.log" 2>&1 || {
            tail -20 "$work/debootstrap.log" >&2
            exit 1
        }
        touch "$bare.ready"
    fi
    rm -rf "$bare/opt/sliceseg" "$bare/srv/job"
    mkdir -p "$bare/opt/sliceseg" "$bare/srv/job"
    tar -x -f "$archive" -C "$bare/opt/sliceseg" --strip-components=1 --no-same-owner
    cp "$work/job.sh" "$bare/srv/job.sh"
    gcc -std=c11 -Wall -Wextra -Werror "$here/fixtures/checks/segment.c" -o "$bare/srv/job/segment" \
        -I "$bare/opt/sliceseg/include" -L "$bare/opt/sliceseg/lib" -lSliceSegC \
        -Wl,-rpath,/opt/sliceseg/lib -Wl,-rpath-link,"$bare/opt/sliceseg/lib"
    chown -R 1000:1000 "$bare/srv/job"
    # A mount namespace of its own for /proc and /dev, and one of networks with no interface up.
    unshare --mount --net sh -euc '
        mount -t proc proc "$1/proc"
        mount --bind /dev "$1/dev"
        exec chroot --userspec=1000:1000 "$1" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root \
            sh -euc "
                cd /srv/job
                if touch \$HOME/x 2>/dev/null || touch /opt/sliceseg/x 2>/dev/null; then exit 9; fi
                getconf GNU_LIBC_VERSION
                /opt/sliceseg/bin/segment-brain --version
                sh /srv/job.sh /opt/sliceseg/bin
                if [ \$(getconf GNU_LIBC_VERSION | cut -d . -f 2) -ge 36 ]; then
                    ./segment phantom scans/phantom-001.nii.gz c.nii.gz
                    cmp c.nii.gz phantom/phantom-001_dseg.nii.gz
                fi"
    ' sh "$bare"
    count=0
    # shellcheck disable=SC2086 # several patterns
    for file in $(cd "$work/tree" && ls $results); do
        cmp "$work/tree/$file" "$bare/srv/job/$file"
        count=$((count + 1))
    done
    echo "$release: $count files as in the build tree"
done
