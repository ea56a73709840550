#!/bin/sh
# Builds one static site of all modules' documentation, with a page for the help of each command.
# Usage: make-docs.sh BIN FOLDER: BIN holds the built programs, beside the modules' interfaces. FOLDER can be
# served by any web server: python3 -m http.server -d FOLDER.
# Warnings are errors: links that lead nowhere, symbols that do not exist, parameters without a word.
set -eu
bin=$1
output=$2
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM
sh scripts/install-packages.sh python3

catalogs=$scratch/catalogs
mkdir "$catalogs"
for catalog in Sources/*/*.docc; do cp -R "$catalog" "$catalogs/"; done
python3 scripts/command_pages.py "$bin" "$catalogs/Pipelines.docc"
sh fixtures/checks/check_docs.sh "$catalogs" "$scratch/archives"

rm -rf "$output" "$output.partial"
mkdir -p "$(dirname "$output")"
docc merge "$scratch"/archives/*.doccarchive --output-path "$output.partial" \
    --synthesized-landing-page-name SliceSeg --synthesized-landing-page-kind Package
echo '<!doctype html><meta http-equiv="refresh" content="0; url=documentation/sliceseg/"><title>SliceSeg</title>' \
    >"$output.partial/index.html"
mv "$output.partial" "$output"
python3 fixtures/checks/check_site.py "$output"
echo "$output: $(find "$output/data" -name '*.json' | wc -l) pages, $(du -sm "$output" | cut -f 1) MB;" \
    "look at it by: python3 -m http.server -d $output"
