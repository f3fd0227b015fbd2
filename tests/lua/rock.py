"""LuaRocks makes, packs and installs the module: `rock.py FOLDER_OF_ALL_MODULES`."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

MODULES = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
HOSTS = {"5.1": ["lua5.1", "luajit"], "5.4": ["lua5.4"]}
CALL = 'local o = require "libopencode" print(o.version, assert(o.client()):call("global.health").healthy)'


def run(*command, folder, **more):
    done = subprocess.run(command, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def luarocks(version, tree, *arguments, folder, **more):
    return run("luarocks", f"--lua-version={version}", f"--tree={tree}", *arguments, folder=folder, **more)


def source(folder):
    """What the rock is made of, so that nothing is written into the project."""
    for name in ["bindings-lua/meta", "LICENSE", "bindings-lua/rock.sh", spec().name]:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    return folder


def headers_of(version, folder):
    """LuaRocks makes no rock without the headers of its Lua, and looks for no more in them than the version."""
    folder.mkdir()
    major, minor = version.split(".")
    (folder / "lua.h").write_text(f"#define LUA_VERSION_NUM {major}0{minor}\n")
    return f"LUA_INCDIR={folder}"


def spec():
    (found,) = ROOT.glob("libopencode-*.rockspec")
    return found


def test_a_rock_is_made_packed_and_installed_elsewhere():
    for version, hosts in HOSTS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            project = source(folder / "project")
            headers = headers_of(version, folder / "headers")
            made, other = folder / "made", folder / "other"
            luarocks(version, made, "make", spec().name, headers, folder=project, LIBOPENCODE_MODULES=str(MODULES))
            luarocks(version, made, "pack", "libopencode", folder=folder)
            (rock,) = folder.glob("*.rock")
            luarocks(version, other, "install", str(rock), folder=folder)
            for tree in made, other:
                assert list(tree.rglob("meta/libopencode.lua")), "the annotations are in it"
                for host in hosts:
                    path = tree / "lib/lua" / version / "?.so"
                    printed = run(host, "-e", CALL, folder=folder, LUA_CPATH=str(path))
                    assert printed.split()[1] == "true", printed


def test_the_rock_has_the_version_of_the_project_and_its_rules_are_kept():
    text = (ROOT / "Cargo.toml").read_text()
    version = text.split("[workspace.package]")[1].split('version = "')[1].split('"')[0]
    assert spec().name == f"libopencode-{version}-1.rockspec"
    written = spec().read_text()
    assert f'version = "{version}-1"' in written and f'tag = "v{version}"' in written
    run("luarocks", "lint", str(spec()), folder=ROOT)


for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        print("ok", name)
