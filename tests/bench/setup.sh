#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes ready as for the tests, and gets the programs that only the benchmark compares with.
set -euo pipefail
cd "$(dirname "$0")/../.."
bash scripts/setup.sh

declare -A package_of=([qemu-img]=qemu-utils [nbdcopy]=libnbd-bin)
missing=()
for program in "${!package_of[@]}"; do
	command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
if [ "${#missing[@]}" -gt 0 ]; then
	if [ "$(id -u)" -ne 0 ]; then
		echo "p2pdma: to compare with them, install: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	echo "p2pdma: installing ${missing[*]}" >&2
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi
