#!/bin/sh
# One task of submit.sh. It asks to run again where it was stopped before its scans were done: by
# SIGTERM a minute before the time limit (143), or by a kill.
bin=$1 input=$2 output=$3
shift 3
"$bin/segment-brain" "$input" "$output" --shard auto --threads "${SLURM_CPUS_PER_TASK:-1}" "$@" &
child=$!
trap 'kill -TERM $child' TERM
wait $child
status=$?
# A trap ends the first wait.
if kill -0 $child 2>/dev/null; then wait $child; status=$?; fi
case $status in
129 | 130 | 137 | 143)
    if [ "${SLURM_RESTART_COUNT:-0}" -lt 10 ]; then
        exec scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    fi
    ;;
esac
exit $status
