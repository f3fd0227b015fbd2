"""What is installed: the wheel and what it says of itself."""

import importlib.metadata
import pathlib
import subprocess
import sys

import libopencode

ROOT = pathlib.Path(__file__).parents[2]


def test_the_package_says_what_people_look_for():
    of = importlib.metadata.metadata("libopencode")
    assert of["Version"] == libopencode.__version__ and of["Requires-Python"] == ">=3.10"
    assert of["License-Expression"] == "MIT" and of.get_all("Requires-Dist") is None
    urls = dict(line.split(", ", 1) for line in of.get_all("Project-URL"))
    assert {"Homepage", "Repository", "Documentation", "Changelog", "Issues"} <= set(urls)
    assert {"Typing :: Typed", "Framework :: AsyncIO", "Programming Language :: Python :: 3.14"} <= set(of.get_all("Classifier"))
    described = of.get_payload() or of["Description"]
    for part in ("## Quick start", "## asyncio", "## Web", "## Notebook", "## Options", "## What is different", "Rust 1.88"):
        assert part in described, part
    # It is read where this repository is not.
    assert "](docs/" not in described and "](../" not in described
    version = next(line for line in (ROOT / "Cargo.toml").read_text().splitlines() if line.startswith("rust-version"))
    assert f"Rust {version.split(chr(34))[1]} or later" in described


def test_the_license_is_inside():
    files = importlib.metadata.files("libopencode")
    inside = [file for file in files if file.name == "LICENSE"]
    assert inside and inside[0].read_text() == (ROOT / "LICENSE").read_text()


def test_importing_is_cheap():
    program = "import sys; before = set(sys.modules); import libopencode; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    # What is used is imported when it is.
    assert set(done.stdout.split()) <= {"__future__", "libopencode", "libopencode._later"}, done
