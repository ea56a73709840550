#!/bin/sh
# Prints the version of the programs, which stands in one place.
set -eu
cd "$(dirname "$0")/.."
sed -n 's/^public let softwareVersion = "\(.*\)"$/\1/p' Sources/Pipelines/Command/SoftwareVersion.swift
