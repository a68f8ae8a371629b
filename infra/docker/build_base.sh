#!/bin/sh
# Builds the sandbox's base image where no image registry can be reached: a minimal Debian with python3, bootstrapped from
# a package mirror and imported. Needs root, debootstrap and a running engine. Usage: build_base.sh [TAG] [MIRROR]
set -eu
tag="${1:-coderm-base:bookworm}"
mirror="${2:-}"
[ "$(id -u)" = 0 ] || { echo "build_base.sh: needs root (debootstrap makes device nodes and runs chroot)" >&2; exit 3; }
for program in debootstrap docker tar; do
  command -v "$program" >/dev/null || { echo "build_base.sh: needs $program: apt-get install $program" >&2; exit 3; }
done
root="$(mktemp -d)"
trap 'rm -rf --one-file-system "$root"' EXIT INT TERM
debootstrap --variant=minbase --include=python3 bookworm "$root" $mirror
rm -rf "$root"/var/cache/apt/archives/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
tar -C "$root" --numeric-owner -cf - . | docker import - "$tag"
