#!/bin/sh
# Lays out the built programs so that they run wherever the folder is put: stripped, with Swift's runtime
# and the Debian libraries that they link, the models and all licences. Usage: stage-programs.sh BIN FOLDER,
# where BIN holds the programs. FOLDER receives
#   libexec/   segment-brain and sliceseg
#   lib/       the libraries; they find each other by where they lie
#   include/   the header of the C interface
#   share/sliceseg/   models, licences, build.txt
# Debian's libraries get names of their own, so that no program that also loads the system's takes one for
# the other.
set -eu
bin=$1
folder=$2
here=$(cd "$(dirname "$0")/.." && pwd)
sh "$here/scripts/install-packages.sh" patchelf binutils
programs="segment-brain sliceseg"

rm -rf "$folder"
mkdir -p "$folder/libexec" "$folder/lib" "$folder/share/sliceseg/licences"
licences=$folder/share/sliceseg/licences
for program in $programs; do install -m 755 "$bin/$program" "$folder/libexec/"; done
for library in "$here/.deps/lib/libSliceSegPlan.so" "$bin/libSliceSegC.so"; do
    install -m 755 "$library" "$folder/lib/"
done
install -D -m 644 "$here/Sources/CSliceSeg/include/SliceSeg.h" "$folder/include/SliceSeg.h"

# The libraries that these load, but for those of the system's C library: NAME PATH.
loaded=$(mktemp)
trap 'rm -f "$loaded"' EXIT INT TERM
ldd "$folder"/libexec/* "$folder"/lib/*.so | awk '$2 == "=>" && $3 ~ "^/" { print $1, $3 }' |
    grep -Ev '^(libc|libm|libdl|libpthread|librt)\.so' | sort -u >"$loaded"
if ldd "$folder"/libexec/* "$folder"/lib/*.so | grep "not found"; then
    echo "A library that the programs need is missing; run 'make build' again." >&2
    exit 1
fi

renamed=""
packages=libc6
while read -r name path; do
    case $path in
    */swift/*) target=$name ;;
    *)
        target=$name
        case $name in
        # One for the whole process, whoever brings it.
        libstdc++.so.* | libgcc_s.so.*) ;;
        *)
            target=${name%%.so*}-sliceseg.so${name#*.so}
            renamed="$renamed $name:$target"
            ;;
        esac
        # Debian's database has paths from before /lib became a link.
        package=$(dpkg-query -S "$path" 2>/dev/null || dpkg-query -S "${path#/usr}" 2>/dev/null ||
            dpkg-query -S "/usr$path")
        packages="$packages ${package%%:*}"
        ;;
    esac
    install -m 755 "$path" "$folder/lib/$target"
done <"$loaded"

# Before paths are written, as stripping afterwards would move what was moved for them.
strip "$folder"/libexec/*
strip --strip-unneeded "$folder"/lib/*
# One change at a time: patchelf mixes up names that it changes together.
patch() {
    file=$1 rpath=$2
    for pair in $renamed; do patchelf --replace-needed "${pair%%:*}" "${pair#*:}" "$file"; done
    # An RPATH rather than a RUNPATH: LD_LIBRARY_PATH, which clusters set, comes after it.
    patchelf --remove-rpath "$file"
    patchelf --force-rpath --set-rpath "$rpath" "$file"
}
for library in "$folder"/lib/*; do
    patchelf --set-soname "$(basename "$library")" "$library"
    patch "$library" '$ORIGIN'
done
for program in $programs; do patch "$folder/libexec/$program" '$ORIGIN/../lib'; done

cp -R "$bin/SliceSeg_ModelBundles.resources/Bundles" "$folder/share/sliceseg/models"
sh "$here/scripts/record-build.sh" "$folder/share/sliceseg/build.txt"

# Licences: ours, Swift's, those of the Swift packages and of Debian's packages, with where their source is.
install -m 644 "$here/LICENSE" "$licences/SliceSeg.txt"
swift=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")
install -m 644 "$swift/share/swift/LICENSE.txt" "$licences/Swift.txt"
for checkout in "$here"/.build/checkouts/*; do
    install -m 644 "$(find "$checkout" -maxdepth 1 -iname 'LICENSE*' | head -1)" \
        "$licences/$(basename "$checkout").txt"
done
# ICU is inside of Swift's Foundation.
sh "$here/scripts/install-packages.sh" libicu-dev
install -m 644 /usr/share/doc/libicu-dev/copyright "$licences/ICU.txt"
for package in $(printf '%s\n' $packages | sort -u); do
    install -m 644 "/usr/share/doc/$package/copyright" "$licences/$package.txt"
    dpkg-query -W -f '${Package} ${Version}: https://snapshot.debian.org/package/${source:Package}/${source:Version}/\n' \
        "$package"
done >"$licences/SOURCES.txt"
find "$folder" -type d -exec chmod 755 {} +
find "$folder/share" "$folder/include" -type f -exec chmod 644 {} +
