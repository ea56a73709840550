#!/bin/sh
# Lays out the programs with all that they need beside a bare Debian 12 and packages.txt: no compiler, no
# LibTorch, no network when they run.
#
#   install.sh FOLDER_OF_THE_BUILD TARGET        such as .build/release /opt/sliceseg
set -eu
[ $# -eq 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")/../.." && pwd)
build=$1 target=$2
mkdir -p "$target"
for program in segment-brain sliceseg; do install -m 755 "$build/$program" "$target"; done
cp -RL "$build"/*.resources "$target"
plan=$build/libSliceSegPlan.so
[ -e "$plan" ] || plan=$here/.deps/lib/libSliceSegPlan.so
install -m 644 "$plan" "$here/LICENSE" "$target"
# Swift's runtime: the programs look beside themselves.
for program in segment-brain sliceseg; do ldd "$target/$program"; done | grep -o '/[^ ]*/swift/linux/[^ ]*' |
    sort -u | while read -r library; do install -m 644 "$library" "$target"; done
chmod -R a+rX "$target"
