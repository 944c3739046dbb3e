# Finds or makes the pinned Rust toolchain and QEMU; sourced by `x`, which has set `root`.
#
# The compiler is the one rust-toolchain.toml names, from the first place that has it:
#   1. rustup's own 1.96.0, installed here if rustup may and can download it;
#   2. Debian's packages of the same version (`rustc-web` and its sisters), assembled with links into
#      a private folder that behaves like rustup's: ${XDG_CACHE_HOME:-~/.cache}/lodger/. It is made
#      once for a user, not once for a clone. Where rustup exists it is linked there as
#      `lodger-1.96.0` and set for this folder, so that plain `cargo run` and `cargo test` find it.
# What was found is written to target/toolchain.env; while that still holds, the next call reads it
# and does nothing else.

rust_version=1.96.0
rust_target=x86_64-unknown-none
# Raise it when the recipe of the assembled folder changes: older folders are then left alone.
recipe=1
link_name=lodger-$rust_version
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/lodger
assembled=$cache/toolchain-$rust_version-r$recipe
stamp=$root/target/toolchain.env

debian_rust="rustc-web cargo-web rust-web-src rust-web-llvm rust-web-clippy rustfmt-web lld-22 llvm-22"
debian_rest="gcc libc6-dev qemu-system-x86 ovmf"
debian_bochs="bochs bochs-term bochsbios vgabios"

if [ -t 2 ]; then bold=$'\e[1;36m' red=$'\e[1;31m' plain=$'\e[0m'; else bold='' red='' plain=''; fi
say() { printf '%s==>%s %s\n' "$bold" "$plain" "$*" >&2; }
die() { printf '%sx: error:%s %s\n' "$red" "$plain" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# The one entry point: afterwards `cargo` is the pinned one for this shell and its children.
ensure_toolchain() {
    use_stamp && return
    [ "$(uname -sm)" = "Linux x86_64" ] || die "Lodger is built on x86-64 Linux; this is $(uname -sm)"
    ensure_rust
    ensure_programs
    ensure_busybox
    [ "$(rustc --version 2>/dev/null | cut -d' ' -f2)" = "$rust_version" ] ||
        die "the toolchain was set up but rustc does not answer as $rust_version: remove $assembled and try again"
}

# The quick way: what the last call found, if it is from this script and still there.
use_stamp() {
    [ -f "$stamp" ] && [ "$stamp" -nt "$root/boot-image/toolchain.sh" ] || return 1
    local toolchain_bin='' toolchain_name=''
    . "$stamp"
    [ -x "$toolchain_bin/rustc" ] && is_known_to_rustup && have qemu-system-x86_64 && have gcc || return 1
    activate
}

# A name that somebody has taken out of rustup since is of no use.
is_known_to_rustup() {
    local folder
    [ -n "$toolchain_name" ] || return 0
    for folder in "${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$toolchain_name"*; do
        [ -e "$folder" ] && return
    done
    return 1
}

# Makes `toolchain_name` (rustup) or `toolchain_bin` (no rustup) the one in use.
activate() {
    if [ -n "$toolchain_name" ]; then export RUSTUP_TOOLCHAIN=$toolchain_name; else export PATH="$toolchain_bin:$PATH"; fi
}

ensure_rust() {
    local toolchain_bin='' toolchain_name=''
    if rustup_has_it || rustup_installs_it; then
        toolchain_name=$rust_version
        toolchain_bin=$(dirname "$(rustup which --toolchain "$rust_version" rustc)")
    else
        ensure_assembled
        toolchain_bin=$assembled/bin
        link_into_rustup
    fi
    activate
    mkdir -p "$root/target"
    printf 'toolchain_name=%q\ntoolchain_bin=%q\n' "$toolchain_name" "$toolchain_bin" >"$stamp"
}

rustup_has_it() {
    local sysroot
    have rustup && rustup toolchain list 2>/dev/null | grep -q "^$rust_version-" || return 1
    sysroot=$(RUSTUP_TOOLCHAIN=$rust_version rustc --print sysroot 2>/dev/null) || return 1
    [ -d "$sysroot/lib/rustlib/$rust_target" ] && [ -d "$sysroot/lib/rustlib/src" ] &&
        [ -x "$sysroot/lib/rustlib/x86_64-unknown-linux-gnu/bin/llvm-objcopy" ]
}

# RUSTUP_AUTO_INSTALL=0 is how a machine says that rustup shall not download by itself.
rustup_installs_it() {
    have rustup && [ "${RUSTUP_AUTO_INSTALL:-1}" != 0 ] || return 1
    say "installing Rust $rust_version with rustup"
    timeout 900 rustup toolchain install "$rust_version" --no-self-update --profile minimal \
        -c rust-src -c llvm-tools -c clippy -c rustfmt -t "$rust_target" >&2 && return
    say "rustup could not download Rust $rust_version: trying Debian's packages"
    return 1
}

# Debian's packages, linked together so that they look like one of rustup's toolchains.
ensure_assembled() {
    assembled_works && return
    install_packages "$debian_rust $debian_rest" "Rust $rust_version (no rustup here can download it)"
    [ "$(/usr/bin/rustc --version | cut -d' ' -f2)" = "$rust_version" ] ||
        die "Debian's rustc-web is $(/usr/bin/rustc --version | cut -d' ' -f2) here, Lodger needs $rust_version: install rustup (https://rustup.rs) and its toolchain $rust_version"
    mkdir -p "$cache"
    # One at a time: two clones may be set up side by side.
    exec 9>"$cache/lock"
    flock 9
    assembled_works || assemble
    exec 9>&-
}

assembled_works() {
    [ -f "$assembled/complete" ] && [ "$("$assembled/bin/rustc" --version 2>/dev/null | cut -d' ' -f2)" = "$rust_version" ]
}

assemble() {
    say "assembling the Rust $rust_version toolchain from Debian's packages in $assembled"
    rm -rf "$assembled"
    mkdir -p "$assembled/bin" "$assembled/lib/rustlib/x86_64-unknown-linux-gnu/bin" "$assembled/lib/rustlib/$rust_target/lib"
    wrap rustc "--sysroot '$assembled'"
    wrap rustdoc "--sysroot '$assembled'"
    # As a wrapper clippy-driver wants rustc's name as its first argument, so no flag can be put before it.
    printf '#!/bin/sh\nSYSROOT=%q exec /usr/bin/clippy-driver "$@"\n' "$assembled" >"$assembled/bin/clippy-driver"
    chmod +x "$assembled"/bin/*
    ln -s /usr/bin/cargo /usr/bin/rustfmt /usr/bin/cargo-fmt "$assembled/bin/"
    # Copied, not linked: it looks for its driver beside the file it really is.
    cp /usr/bin/cargo-clippy "$assembled/bin/"
    ln -s /usr/lib/rustlib/src "$assembled/lib/rustlib/src"
    ln -s /usr/lib/rustlib/x86_64-unknown-linux-gnu/lib "$assembled/lib/rustlib/x86_64-unknown-linux-gnu/lib"
    local host_bin=$assembled/lib/rustlib/x86_64-unknown-linux-gnu/bin
    ln -s /usr/lib/rustlib/x86_64-unknown-linux-gnu/bin/* "$host_bin/"
    ln -sf /usr/bin/lld-22 "$host_bin/rust-lld"
    ln -sf /usr/bin/llvm-objcopy-22 "$host_bin/llvm-objcopy"
    ln -sf /usr/bin/llvm-objdump-22 "$host_bin/llvm-objdump"
    build_bare_metal_core
    touch "$assembled/complete"
}

wrap() { printf '#!/bin/sh\nexec /usr/bin/%s %s "$@"\n' "$1" "$2" >"$assembled/bin/$1"; }

# Debian has no library for the bare-metal target: it is built once from Debian's own source.
build_bare_metal_core() {
    say "building core and alloc for $rust_target (once, about half a minute)"
    local scratch
    scratch=$(mktemp -d "$cache/core.XXXXXX")
    mkdir "$scratch/src"
    echo '#![no_std]' >"$scratch/src/lib.rs"
    printf '[package]\nname = "empty"\nedition = "2021"\n[profile.release]\ndebug = "line-tables-only"\n[workspace]\n' >"$scratch/Cargo.toml"
    (
        cd "$scratch"
        unset CARGO_TARGET_DIR CARGO_BUILD_TARGET RUSTUP_TOOLCHAIN RUSTC RUSTC_WRAPPER CARGO_ENCODED_RUSTFLAGS
        # Bitcode is kept so that the kernel may be linked with LTO, as with rustup's libraries.
        PATH="$assembled/bin:$PATH" RUSTC="$assembled/bin/rustc" RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes \
            cargo build --release --target "$rust_target" \
            -Zbuild-std=core,alloc,compiler_builtins -Zbuild-std-features=compiler-builtins-mem >"$scratch/log" 2>&1
    ) || { cat "$scratch/log" >&2; rm -rf "$scratch"; die "core could not be built for $rust_target (the log is above)"; }
    cp "$scratch/target/$rust_target/release/deps/"lib{core,alloc,compiler_builtins}-*.rlib "$assembled/lib/rustlib/$rust_target/lib/"
    rm -rf "$scratch"
}

# Registers the assembled folder with rustup, if there is one, for this folder of yours only.
link_into_rustup() {
    have rustup || { say "no rustup here: ./x puts $assembled/bin first on PATH; do the same for plain cargo"; return; }
    toolchain_name=$link_name
    local linked
    linked=$(rustup toolchain list -v 2>/dev/null | awk -v name="$link_name" '$1 == name { print $NF }')
    if [ "$linked" != "$assembled" ]; then
        rustup toolchain link "$link_name" "$assembled" >&2 || die "rustup could not link $assembled as $link_name"
    fi
    rustup override set "$link_name" --path "$root" >/dev/null 2>&1 || die "rustup could not set $link_name for $root"
    say "plain cargo now uses $link_name in this folder ('rustup override unset' there undoes it)"
}

# The C compiler and the emulator; with rustup's own toolchain they are all that may be missing.
ensure_programs() {
    have qemu-system-x86_64 && have gcc && have_static_libc && have_firmware && return
    install_packages "$debian_rest" "the emulator and the C compiler"
}

have_static_libc() { [ -f "$(gcc -print-file-name=libc.a)" ]; }

have_firmware() {
    local file
    for file in /usr/share/{OVMF,ovmf,edk2/x64,edk2/ovmf,qemu}/{OVMF_CODE*,edk2-x86_64-code}.fd; do
        [ -f "$file" ] && return
    done
    return 1
}

# The second emulator, for what the first one's processor has not; only stories and `--emulator bochs` want it.
ensure_bochs() {
    have bochs && [ -f /usr/share/bochs/BIOS-bochs-latest ] && [ -f /usr/share/vgabios/vgabios.bin ] && return
    install_packages "$debian_bochs" "the stories about PCIDs and x2APIC (Bochs)"
}

# The shell inside. Without one everything else works: where it cannot be installed, that is said and no more.
ensure_busybox() {
    local file
    for file in /bin/busybox /usr/bin/busybox /sbin/busybox.static /bin/busybox.static; do
        [ -f "$file" ] && ! readelf -l "$file" 2>/dev/null | grep -q INTERP && return
    done
    (install_packages busybox-static "a shell inside") || say "no static busybox here: ./x run starts the tour instead of a shell"
}

# install_packages "NAMES" "WHAT FOR": only those that are missing, and nothing else is removed for them.
install_packages() {
    local missing=() name as_root=()
    have dpkg-query && have apt-get || die "missing: $2. Install rustup with toolchain $rust_version, and qemu-system-x86_64, OVMF, gcc and a static libc"
    for name in $1; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || die "missing for $2; please run: sudo apt-get install ${missing[*]}"
        as_root=(sudo -n)
    fi
    say "installing for $2: ${missing[*]}"
    local log
    log=$(mktemp)
    apt_get update
    apt_install "${missing[@]}" || apt_install "${missing[@]}" $(matching_qemu_utils) ||
        { tail -n 20 "$log" >&2; rm -f "$log"; die "apt-get could not install: ${missing[*]} (Debian 12 with its security updates has them)"; }
    rm -f "$log"
}

apt_install() { apt_get install -y --no-remove --no-install-recommends --allow-downgrades "$@"; }

# A qemu-utils from another release shares files with the emulator and would have to go; in the
# emulator's own version it may stay.
matching_qemu_utils() {
    local version
    dpkg-query -W qemu-utils >/dev/null 2>&1 || return 0
    version=$(apt-cache policy qemu-system-common | awk '$1 == "Candidate:" { print $2 }')
    say "qemu-utils is of another release than the emulator: installing $version of both"
    echo "qemu-utils=$version"
}

apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >>"$log" 2>&1 </dev/null; }
