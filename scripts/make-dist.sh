#!/bin/sh
# Packs the built programs as an archive that runs where it is unpacked.
# Usage: make-dist.sh BIN FOLDER: BIN holds the programs, FOLDER receives
# sliceseg-VERSION-linux-ARCHITECTURE.tar.gz.
# On a system whose C library is older than what the programs were built for, they run with the one in the
# archive. The same sources and packages give the same bytes.
set -eu
bin=$1
output=$2
here=$(cd "$(dirname "$0")/.." && pwd)
version=$(sh "$here/scripts/software-version.sh")
name=sliceseg-$version-linux-$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
stage=$work/$name
sh "$here/scripts/stage-programs.sh" "$bin" "$stage"

# The C library that the programs were linked against, and its dynamic linker.
mkdir "$stage/lib/glibc"
linker=$(patchelf --print-interpreter "$stage/libexec/sliceseg")
libraries=$(dirname "$(ldd "$bin/sliceseg" | awk '$1 == "libc.so.6" { print $3 }')")
install -m 755 "$linker" "$stage/lib/glibc/"
for library in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1; do
    install -m 755 "$libraries/$library" "$stage/lib/glibc/"
done
strip --strip-unneeded "$stage"/lib/glibc/*
oldest=$(sh "$here/scripts/newest-glibc.sh" "$stage"/libexec/* "$stage"/lib/*.so*)

mkdir "$stage/bin"
for program in segment-brain sliceseg; do
    cat >"$stage/bin/$program" <<SHELL
#!/bin/sh
# Runs $program with the system's C library where that is $oldest or newer, else with the one that lies here.
folder=\$(dirname -- "\$(dirname -- "\$(readlink -f -- "\$0")")")
libc=\$(getconf GNU_LIBC_VERSION 2>/dev/null) || libc=
minor=\${libc#glibc 2.}
case \$minor in
"" | *[!0-9]*) minor=0 ;;
esac
if [ "\$minor" -ge ${oldest#2.} ]; then
    exec "\$folder/libexec/$program" "\$@"
fi
exec "\$folder/lib/glibc/$(basename "$linker")" --library-path "\$folder/lib/glibc" \\
    "\$folder/libexec/$program" "\$@"
SHELL
    chmod 755 "$stage/bin/$program"
done
cat >"$stage/README.txt" <<TEXT
SliceSeg $version segments brain MRI: bin/segment-brain SCANS OUTPUT, where SCANS is a scan, a folder or a BIDS dataset; bin/segment-brain --help and bin/sliceseg --help tell the rest.
Needs Linux ($(uname -m)) and nothing else; keep the folder as it is and put links to bin/* on your PATH. Licences: share/sliceseg/licences; models: share/sliceseg/models. Not a medical device.
TEXT

mkdir -p "$output"
tar --create --directory "$work" --sort=name --owner=0 --group=0 --numeric-owner --format=gnu \
    --mtime="@$(git -C "$here" log -1 --format=%ct)" "$name" | gzip -9n >"$output/$name.tar.gz.partial"
mv "$output/$name.tar.gz.partial" "$output/$name.tar.gz"
echo "$output/$name.tar.gz: $(($(stat -c %s "$output/$name.tar.gz") / 1000000)) MB," \
    "$(($(du -sk "$stage" | cut -f 1) / 1000)) MB unpacked; the C library of the system from $oldest on," \
    "else its own"
