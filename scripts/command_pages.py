#!/usr/bin/env python3
"""Writes an article for each command, with its help as the built program prints it, and one that lists them.

Usage: command_pages.py BIN CATALOG: BIN holds the programs, CATALOG is a folder of DocC's.
"""

import re
import subprocess
import sys
from pathlib import Path


def help_of(command):
    """Returns the `--help` text of a command."""
    run = subprocess.run([*command, "--help"], check=True, capture_output=True, text=True)
    return run.stdout.strip("\n")


def subcommands(text):
    """The names under SUBCOMMANDS in a help text."""
    part = text.partition("SUBCOMMANDS:\n")[2]
    return re.findall(r"^  ([a-z][a-z-]*) ", part + "\n", flags=re.M)


def summary(text):
    """The first sentence of a help text's overview."""
    overview = text.partition("OVERVIEW: ")[2].partition("\n\n")[0]
    return " ".join(overview.split())


def main():
    binaries, catalog = Path(sys.argv[1]), Path(sys.argv[2])
    programs = {"segment-brain": [], "sliceseg": []}
    programs["sliceseg"] = [
        name for name in subcommands(help_of([binaries / "sliceseg"])) if name != "help"
    ]
    if len(programs["sliceseg"]) < 10:
        sys.exit("The help of sliceseg lists fewer than ten subcommands.")
    pages = []
    for program, names in programs.items():
        for words in [[program], *([program, name] for name in names)]:
            text = help_of([binaries / words[0], *words[1:]])
            name = "Command-" + "-".join(words)
            page = f"# {' '.join(words)}\n\n{summary(text)}\n\n## Help\n\n```text\n{text}\n```\n"
            (catalog / f"{name}.md").write_text(page, encoding="utf-8")
            pages.append((" ".join(words), name))
    topics = "\n".join(f"- <doc:{name}>" for _, name in pages)
    (catalog / "Commands.md").write_text(
        "# Commands\n\nThe help of every command, as the programs print it.\n\n"
        "## Topics\n\n### segment-brain and sliceseg\n\n" + topics + "\n",
        encoding="utf-8",
    )
    landing = catalog / "Pipelines.md"
    text = landing.read_text(encoding="utf-8")
    place = "- <doc:Output-files>\n"
    if place not in text:
        sys.exit(f"{landing} has no line '{place.strip()}', after which the commands would be listed.")
    landing.write_text(text.replace(place, place + "- <doc:Commands>\n"), encoding="utf-8")


if __name__ == "__main__":
    main()
