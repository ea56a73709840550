#!/bin/sh
# Runs the tests of the compiled networks anew for each instruction set that this processor has below its
# highest, as on a processor that has no higher one; the highest is that of the other tests. Says which
# levels were run. Usage: test-kernels.sh COMMAND...: `swift test` with its options.
set -eu
suites='InferencePlanTests|IntegerPlanTests|WinogradTests|ViewAggregationTests|JoinedOperator'
has() {
    for flag in "$@"; do grep -qw -m1 "$flag" /proc/cpuinfo || return 1; done
}
if [ "$(uname -m)" != x86_64 ]; then
    echo "Instruction sets: this processor has one, which the other tests ran"
    exit 0
fi
levels=baseline
! has avx2 fma || levels="$levels avx2"
! has avx512f avx512bw avx512cd avx512dq avx512vl || levels="$levels avx512"
case $levels in
*avx512) ! has avx512_vnni || levels="$levels avx512vnni" ;;
esac
highest=${levels##* }
# Where there are matrix instructions, none of the levels is what runs without a bound.
has amx_bf16 || levels=${levels%"$highest"}
log=$(mktemp)
trap 'rm -f "$log"' EXIT INT TERM
# The first level builds the tests.
echo "Building the tests, and running those of compiled networks for: $levels"
skip=
for level in $levels; do
    if ! SLICESEG_KERNELS=$level "$@" $skip --filter "$suites" >"$log" 2>&1; then
        cat "$log"
        echo "The tests of compiled networks fail with no higher instruction set than $level"
        exit 1
    fi
    skip=--skip-build
    run=$(grep -o 'Test run with .*' "$log" | tail -1)
    case $run in
    *" 0 tests"* | "")
        echo "No test was found for $level"
        exit 1
        ;;
    esac
    echo "With no higher instruction set than $level: $run"
done
echo "Instruction sets tested: ${levels:-none below} and, by all other tests, the highest of this" \
    "processor ($highest$(! has amx_bf16 || echo ' with AMX'))"
