#!/bin/sh
# try.sh PREFIX FOLDER: builds programs against the library below PREFIX in every way that users do, and runs them.
set -eu
prefix=$1 folder=$2 here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$folder"
mkdir -p "$folder"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" LD_LIBRARY_PATH="$prefix/lib"

fine() {
    test "$("$@")" = fine || { echo "$1 does not run"; exit 1; }
}

# Whoever links by its path looks for the name, and not for the path.
readelf -d "$prefix/lib/libopencode.so" | grep -q 'SONAME.*\[libopencode.so.1\]'
cc "$here/hello.c" -I"$prefix/include" "$prefix/lib/libopencode.so" -o "$folder/by_path"
readelf -d "$folder/by_path" | grep -q 'NEEDED.*\[libopencode.so.1\]'
fine "$folder/by_path"

# Our functions and no others, in one object.
test "$(nm --defined-only --extern-only "$prefix/lib/libopencode.a" | grep -c ' T ')" = \
    "$(nm --defined-only --extern-only "$prefix/lib/libopencode.a" | grep -c ' T opencode_')"
test "$(ar t "$prefix/lib/libopencode.a" | wc -l)" = 1
cp "$prefix/lib/libopencode.a" "$folder/again.a"
ranlib "$folder/again.a"
cc "$here/hello.c" -I"$prefix/include" "$folder/again.a" -lm -lpthread -ldl -o "$folder/again"
fine "$folder/again"

eval "cc -std=c99 '$here/hello.c' $(pkg-config --cflags --libs opencode) -o '$folder/shared'"
fine "$folder/shared"
eval "cc -std=c99 '$here/hello.c' $(pkg-config --cflags --libs opencode-static) -o '$folder/static'"
! readelf -d "$folder/static" | grep -q libopencode
fine env -u LD_LIBRARY_PATH "$folder/static"
eval "g++ -std=c++17 '$here/hello.cpp' $(pkg-config --cflags --libs opencode) -o '$folder/face'"
fine "$folder/face"

cmake -S "$here" -B "$folder/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$prefix"
cmake --build "$folder/cmake"
for program in shared static face; do fine "$folder/cmake/$program"; done
fine env -u LD_LIBRARY_PATH "$folder/cmake/static"

meson setup "$folder/meson" "$here"
meson compile -C "$folder/meson"
for program in shared static face; do fine "$folder/meson/$program"; done
fine env -u LD_LIBRARY_PATH "$folder/meson/static"

# As a subproject, which needs neither a variable nor an installation.
mkdir "$folder/examples"
cp -r "$here/../../../examples/meson" "$here/../../../examples/c" "$here/../../../examples/cpp" "$folder/examples"
tar -czf "$folder/examples/meson/subprojects/packagefiles/opencode.tar.gz" -C "$prefix" .
unset PKG_CONFIG_PATH LD_LIBRARY_PATH
meson setup --force-fallback-for=opencode "$folder/subproject" "$folder/examples/meson"
meson compile -C "$folder/subproject"
for program in ask ask-static ask-cpp; do
    ! OPENCODE_BASE_URL=http://127.0.0.1:9 "$folder/subproject/$program" x >"$folder/said" 2>&1
    grep -q '127.0.0.1:9' "$folder/said" || { echo "$program of the subproject does not run"; exit 1; }
done
