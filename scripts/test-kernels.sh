#!/bin/sh
# Runs the tests of the compiled networks anew for each instruction set that this processor has, as on a
# processor that has no higher one. Usage: test-kernels.sh COMMAND...: `swift test` with its options.
set -eu
suites='InferencePlanTests|IntegerPlanTests|WinogradTests|ViewVotesTests|JoinedOperator'
has() {
    for flag in "$@"; do grep -qw -m1 "$flag" /proc/cpuinfo || return 1; done
}
[ "$(uname -m)" = x86_64 ] || exit 0
levels=baseline
! has avx2 fma || levels="$levels avx2"
! has avx512f avx512bw avx512dq avx512vl || levels="$levels avx512"
! has avx512f avx512vl avx512_vnni || levels="$levels avx512vnni"
for level in $levels; do
    echo "With no higher instruction set than $level:"
    SLICESEG_KERNELS=$level "$@" --skip-build --filter "$suites"
done
