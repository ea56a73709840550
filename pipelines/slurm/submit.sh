#!/bin/sh
# Segments scans in an array job of Slurm, then joins the parts: tables and report.
#
#   pipelines/slurm/submit.sh SHARDS INPUT OUTPUT [options of segment-brain]
#
# Time, memory and cores a task come from the environment; the defaults leave room for 50 brain scans
# of 1 mm a task, at half a minute a scan and 2 GB:
#   SLICESEG_TIME=01:00:00 SLICESEG_MEM=3G SLICESEG_CPUS=4 SLICESEG_BIN=folder SBATCH_OPTIONS='-p short'
# A task that comes to its time limit or loses its node goes on where it was when it runs again.
set -eu
[ $# -ge 3 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
shards=$1 input=$2 output=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
bin=${SLICESEG_BIN:-$here/../../.build/release}
mkdir -p "$output/logs"
# shellcheck disable=SC2086  # several options
array=$(sbatch --parsable ${SBATCH_OPTIONS:-} --job-name=sliceseg --array="1-$shards" --requeue \
    --open-mode=append --signal=B:TERM@60 --time="${SLICESEG_TIME:-01:00:00}" \
    --mem="${SLICESEG_MEM:-3G}" --cpus-per-task="${SLICESEG_CPUS:-4}" \
    --output="$output/logs/shard-%a.log" "$here/shard.sh" "$bin" "$input" "$output" "$@")
# afterany: the merge names what is missing.
# shellcheck disable=SC2086
merge=$(sbatch --parsable ${SBATCH_OPTIONS:-} --job-name=sliceseg-merge \
    --dependency="afterany:${array%%;*}" --time="${SLICESEG_TIME:-01:00:00}" \
    --mem="${SLICESEG_MEM:-3G}" --cpus-per-task=1 --output="$output/logs/merge.log" \
    --wrap="exec '$bin/sliceseg' merge '$output'")
echo "array job ${array%%;*}, merge ${merge%%;*}; 'sliceseg status $output' shows them"
