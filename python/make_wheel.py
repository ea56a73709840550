#!/usr/bin/env python3
"""Packs the package `sliceseg` and what it runs as a wheel, in the same bytes for the same files.

A wheel is a ZIP archive with a list of its files; nothing is compiled here, so no build system is needed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent

METADATA = """\
Metadata-Version: 2.3
Name: sliceseg
Version: {version}
Summary: Slice-wise segmentation of brain MRI: native, without downloads
License-Expression: MIT
Requires-Python: >=3.9
Requires-Dist: numpy>=1.22
Requires-Dist: nibabel>=4
Provides-Extra: nipype
Requires-Dist: nipype>=1.8; extra == 'nipype'
Provides-Extra: monai
Requires-Dist: monai>=1.3; extra == 'monai'
Classifier: Intended Audience :: Science/Research
Classifier: Operating System :: POSIX :: Linux
Classifier: Programming Language :: Python :: 3
Classifier: Topic :: Scientific/Engineering :: Medical Science Apps.
Classifier: Typing :: Typed
Description-Content-Type: text/markdown

{description}"""

WHEEL = """\
Wheel-Version: 1.0
Generator: sliceseg ({version})
Root-Is-Purelib: false
Tag: {tag}
"""

# Pip puts the environment's interpreter in the first line. The program is found without importing the
# package, which would load numpy.
COMMAND = """\
#!python
# Becomes the native program '{program}'.
import importlib.util, os, sys
package = importlib.util.find_spec("sliceseg")
if package is None or package.origin is None:
    sys.exit("{program}: the package sliceseg is missing; install the wheel again.")
program = os.path.join(os.path.dirname(package.origin), "_native", "libexec", "{program}")
try:
    os.execv(program, ["{program}", *sys.argv[1:]])
except OSError as error:
    sys.exit(f"{program}: '{{program}}' cannot be run ({{error.strerror}}); install the wheel again.")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--native", type=Path, required=True, help="what stage-programs.sh made")
    parser.add_argument("--output", type=Path, required=True, help="the folder of the wheel")
    parser.add_argument("--version", required=True)
    parser.add_argument("--tag", required=True, help="such as py3-none-manylinux_2_35_x86_64")
    parser.add_argument("--time", type=int, required=True, help="of all files, in seconds since 1970")
    options = parser.parse_args()

    information = f"sliceseg-{options.version}.dist-info"
    scripts = f"sliceseg-{options.version}.data/scripts"
    values = {
        "version": options.version,
        "tag": options.tag,
        "description": (HERE / "README.md").read_text(encoding="utf-8"),
    }
    # Each file's content and whether it is a program.
    files: dict[str, tuple[bytes, bool]] = {}
    for path in sorted((HERE / "sliceseg").iterdir()):
        if path.suffix in {".py", ".typed"}:
            files[f"sliceseg/{path.name}"] = (path.read_bytes(), False)
    for path in sorted(options.native.rglob("*")):
        if path.is_file():
            name = path.relative_to(options.native)
            files[f"sliceseg/_native/{name}"] = (path.read_bytes(), name.parts[0] == "libexec")
    for program in ("segment-brain", "sliceseg"):
        files[f"{scripts}/{program}"] = (COMMAND.format(program=program).encode(), True)
    files[f"{information}/METADATA"] = (METADATA.format(**values).encode(), False)
    files[f"{information}/WHEEL"] = (WHEEL.format(**values).encode(), False)
    licences = options.native / "share/sliceseg/licences"
    for path in sorted(licences.iterdir()):
        files[f"{information}/licenses/{path.name}"] = (path.read_bytes(), False)

    options.output.mkdir(parents=True, exist_ok=True)
    wheel = options.output / f"sliceseg-{options.version}-{options.tag}.whl"
    partial = wheel.with_suffix(".partial")
    stamp = time.gmtime(options.time)[:6]
    record = f"{information}/RECORD"
    lines = []
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:

        def add(name: str, content: bytes, is_program: bool) -> None:
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if is_program else 0o100644) << 16
            archive.writestr(entry, content)

        for name, (content, is_program) in files.items():
            add(name, content, is_program)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(content)}\n")
        lines.append(f"{record},,\n")
        add(record, "".join(lines).encode(), False)
    partial.rename(wheel)
    print(f"{wheel}: {wheel.stat().st_size // 1_000_000} MB")


if __name__ == "__main__":
    main()
