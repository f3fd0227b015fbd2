#!/bin/sh
# Builds the module for a Lua and puts it where the rockspec looks: `rock.sh lua5.4`. With LIBOPENCODE_MODULES it takes the
# one that lies in a folder made by `cargo xtask dist lua`.
set -eu
cd "$(dirname "$0")/.."
version=$("${1:-lua}" -e 'io.write((_VERSION:gsub("%D", "")))')
case $version in
51 | 52 | 53 | 54 | 55) ;;
*)
    echo "rock.sh: there is no module for the Lua '$1' (_VERSION says '$version')" >&2
    exit 1
    ;;
esac
mkdir -p target/rock
if [ -n "${LIBOPENCODE_MODULES:-}" ]; then
    exec cp "$LIBOPENCODE_MODULES/lua$version/libopencode.so" target/rock/libopencode.so
fi
"${CARGO:-cargo}" build --release --locked --package opencode-lua --no-default-features \
    --features "module,tls,mdns,lua$version" --target-dir "${CARGO_TARGET_DIR:-target}"
cp "${CARGO_TARGET_DIR:-target}/release/libopencode_lua.so" target/rock/libopencode.so
