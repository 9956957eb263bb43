"""The README and the docs show what really happens: every console block is run again, every Python block too.

A console block holds `$ command` lines, each followed by what a terminal of 80 columns without colours then shows. The
blocks of one document share a folder, in order. `python tests/test_docs.py README.md docs/*.md` writes what happens now
into the documents.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.M | re.S)
_VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?Z?)?"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "<day>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
    (re.compile(r"\d+(\.\d+)? s\b"), "<seconds>"),
    (re.compile(r"[\d,]+ (orders|rows)(/s| a second)"), "<rate>"),
]


def blocks(document: Path) -> Iterator[tuple[str, str]]:
    """(kind, text) of each block that is run."""
    for found in _BLOCK.finditer(document.read_text(encoding="utf-8")):
        yield found.group(1), found.group(2)


def environment(folder: Path) -> dict[str, str]:
    """As a person has it who installed the package: its scripts first in the path, no colours, nothing set."""
    bin_folder = str(Path(sys.executable).parent)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ORDERSTATE") and k not in ("CI", "FORCE_COLOR")}
    return {
        **kept,
        "PATH": f"{bin_folder}{os.pathsep}{kept.get('PATH', '')}",
        "HOME": str(folder),
        "TERM": "xterm",
        "NO_COLOR": "1",
        "COLUMNS": "80",
        "LINES": "50",
    }


def type_in(command: str, folder: Path) -> str:
    """What a terminal shows after the command, without trailing blanks."""
    terminal = pexpect.spawn(
        "bash",
        ["-c", command],
        cwd=str(folder),
        env=environment(folder),
        timeout=120,
        encoding="utf-8",
        dimensions=(50, 80),
    )
    shown = str(terminal.read())
    terminal.close()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r\n", "\n")
    return "\n".join(line.rstrip() for line in plain.rstrip().split("\n")).strip("\n")


def rerun(text: str, folder: Path) -> str:
    """The console block with what each of its commands shows now."""
    out = []
    for command in re.findall(r"^\$ (.*(?:\\\n.*)*)", text, re.M):
        out.append(f"$ {command}")
        shown = type_in(command.replace("\\\n", " "), folder)
        if shown:
            out.append(shown)
    return "\n".join(out) + "\n"


def settled(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return re.sub(r"[ ─━]{2,}", "  ", text)


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if any(blocks(d))], ids=lambda d: d.name)
def test_what_a_document_shows_is_what_happens(document: Path, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for kind, text in blocks(document):
        if kind == "python":
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", text],
                cwd=tmp_path,
                env=environment(tmp_path),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, f"{document.name}:\n{text}\n{done.stderr}"
        else:
            assert settled(rerun(text, tmp_path)) == settled(text), f"run: python tests/test_docs.py {document.name}"


def update(document: Path) -> None:
    """Write what happens now into the document's console blocks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "examples").symlink_to(ROOT / "examples")

        def again(found: re.Match[str]) -> str:
            kind, text = found.group(1), found.group(2)
            if kind == "python":
                subprocess.run([sys.executable, "-c", text], cwd=folder, env=environment(folder), check=True)
                return found.group(0)
            return f"```console\n{rerun(text, folder)}```"

        document.write_text(_BLOCK.sub(again, document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    for given in sys.argv[1:]:
        update(Path(given))
