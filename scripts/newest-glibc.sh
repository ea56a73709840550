#!/bin/sh
# Prints the newest version of the C library whose symbols some files ask for, such as 2.36.
# Usage: newest-glibc.sh FILE...
set -eu
objdump -T "$@" | grep -o 'GLIBC_[0-9][0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -1
