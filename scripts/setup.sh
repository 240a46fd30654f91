#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes a fresh Debian machine ready, and does nothing that was done before.
set -euo pipefail
cd "$(dirname "$0")/.."

compile=(gcc g++ make python3 libc6-dev liburing-dev libxxhash-dev)
kernel=(linux-source-6.12 flex bison bc libelf-dev xz-utils)
lab=(qemu-system-x86 util-linux)
tests=(fio e2fsprogs dmsetup gddrescue strace linux-source-6.1 zsh fish mandoc jq pciutils debootstrap)

installed() { [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]; }

# A tool that came another way serves as well as the package of its name.
missing=()
for package in "${compile[@]}" "${kernel[@]}" "${lab[@]}" "${tests[@]}"; do
	installed "$package" || command -v "$package" >/dev/null || missing+=("$package")
done

if [ "${#missing[@]}" -gt 0 ]; then
	if [ "$(id -u)" -ne 0 ]; then
		echo "p2pdma: these Debian packages are missing; install them, then run this again:" >&2
		echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	echo "p2pdma: installing ${missing[*]}" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# The native binding is compiled for one Node version, so that counts too.
stamp="$(sha256sum package-lock.json | cut -d' ' -f1) $(node -p process.versions.modules)"
if [ "$(cat node_modules/.p2pdma-stamp 2>/dev/null)" != "$stamp" ]; then
	npm ci --no-audit --no-fund --loglevel=error
	echo "$stamp" >node_modules/.p2pdma-stamp
fi

bash scripts/build.sh
node dist/p2pdma.js lab build >/dev/null
