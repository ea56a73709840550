#!/bin/sh
# Writes the commit that is built, for the programs' --version. Usage: record-build.sh FILE
# A copy of the sources without git leaves no file.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
rm -f "$1"
line=$(git -C "$here" log -1 --format='commit %h of %cs' 2>/dev/null) || exit 0
[ -z "$(git -C "$here" status --porcelain --untracked-files=no)" ] || line="$line, with changes"
printf '%s\n' "$line" >"$1"
