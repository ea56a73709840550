#!/bin/sh
# Installs the Debian packages named as arguments where they are missing: as root, else through
# sudo, else says which command to run. Where another process has locked the package manager, it
# waits up to ten minutes.
set -eu
missing=""
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "install ok installed" ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    run=""
elif command -v sudo >/dev/null 2>&1; then
    run="sudo"
else
    echo "These packages are missing; run as root: apt-get install$missing" >&2
    exit 1
fi
echo "Installing$missing"
# apt waits for dpkg's lock by itself, but not for that of its lists.
attempt=1
until message=$($run apt-get update -qq -o DPkg::Lock::Timeout=600 2>&1); do
    case "$message" in
    *"Could not get lock"*)
        if [ "$attempt" -lt 120 ]; then
            [ "$attempt" -gt 1 ] || echo "Waiting for another process that holds the package manager"
            attempt=$((attempt + 1))
            sleep 5
            continue
        fi
        ;;
    esac
    echo "$message" >&2
    exit 1
done
$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=600 \
    $missing >/dev/null
