#!/usr/bin/env bash
# Fetches programs of strangers for the tests into a folder: bash-static as Debian ships it, and Lua, built from Debian's
# source. None of them is ever committed. What is there already stays. `crafts` is a program of our own, built as
# anybody builds one.
#   guests.sh FOLDER bash|lua|crafts
set -euo pipefail
own=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
folder=$1
mkdir -p "$folder"
folder=$(cd "$folder" && pwd -P)
work=$(mktemp -d "$folder/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

fetch_bash() {
    if [ -x /bin/bash-static ]; then
        cp /bin/bash-static bash
    else
        apt-get -q download bash-static >&2
        dpkg-deb -x bash-static_*.deb unpacked
        cp unpacked/bin/bash-static bash
    fi
    mv bash "$folder/bash"
}

# apt with lists of its own: the machine's sources stay as they are.
apt_source() {
    mkdir -p lists/partial cache/archives/partial parts
    . /etc/os-release
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $VERSION_CODENAME main" >sources.list
    local options=(-q -o "Dir::Etc::SourceList=$PWD/sources.list" -o "Dir::Etc::SourceParts=$PWD/parts"
        -o "Dir::State::Lists=$PWD/lists" -o "Dir::Cache=$PWD/cache" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update >&2
    apt-get "${options[@]}" source --download-only "$1" >&2
}

build_lua() {
    apt_source lua5.4
    mkdir lua
    tar xf lua5.4_*.orig.tar.* -C lua --strip-components=1
    make -s -C lua/src lua MYCFLAGS='-std=gnu99 -DLUA_USE_POSIX' MYLDFLAGS=-static >&2
    strip -o "$folder/lua.new" lua/src/lua
    mv "$folder/lua.new" "$folder/lua"
}

build_crafts() {
    rustc --edition 2024 -O -C target-feature=+crt-static -C strip=symbols -o crafts "$own/user/std/crafts.rs" >&2
    mv crafts "$folder/crafts"
}

case $2 in
bash) [ -x "$folder/bash" ] || fetch_bash ;;
lua) [ -x "$folder/lua" ] || build_lua ;;
crafts) [ "$folder/crafts" -nt "$own/user/std/crafts.rs" ] || build_crafts ;;
*) echo "guests.sh: no such guest: $2" >&2; exit 1 ;;
esac
