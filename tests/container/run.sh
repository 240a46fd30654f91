#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the images with buildah and tries them: the unit tests in `test`, a copy in `runtime`, and with
# LAB=1 the demonstration in `lab` (with the lab's kernel of this machine, so that none is built).
set -euo pipefail
cd "$(dirname "$0")/../.."
export STORAGE_DRIVER=${STORAGE_DRIVER:-vfs} BUILDAH_ISOLATION=chroot
base=${BASE:-localhost/p2pdma-base}

packages=(buildah debootstrap)
for tool in "${packages[@]}"; do
	command -v "$tool" >/dev/null && continue
	if [ "$(id -u)" -ne 0 ]; then
		echo "p2pdma: sudo apt-get install --no-install-recommends ${packages[*]}, then run this again" >&2
		exit 1
	fi
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
	break
done

# What git has, so that an image is not made of what happens to lie around.
context=$(mktemp -d)
containers=()
cleanup() {
	[ "${#containers[@]}" -eq 0 ] || buildah rm "${containers[@]}" >/dev/null
	rm -rf "$context"
}
trap cleanup EXIT
git archive HEAD | tar -x -C "$context"

say() { printf '\n== %s\n' "$*"; }
build() {
	say "building $1"
	buildah bud --quiet --network host --pull-never --layers --build-arg "BASE=$base" "${@:2}" \
		--target "$1" -t "localhost/p2pdma:$1" "$context"
	buildah images --format '{{.Size}}' "localhost/p2pdma:$1"
}
start() { # IMAGE OPTIONS...: the container's name goes to $container
	container=$(buildah from --pull-never "${@:2}" "localhost/p2pdma:$1")
	containers+=("$container")
}
expect() { # WHAT TEXT PATTERN
	grep -qE "$3" <<<"$2" || {
		echo "FAIL  $1: $2" >&2
		exit 1
	}
	echo "ok    $1"
}

buildah inspect --type image "$base" >/dev/null 2>&1 || {
	say "making a base, since no registry is asked"
	bash tests/container/base.sh "$base" >/dev/null
}

build runtime
start runtime
expect "the program answers" "$(buildah run "$container" -- p2pdma --version)" '^p2pdma [0-9]|^[0-9]'
expect "as an ordinary user" "$(buildah run "$container" -- id -u)" '^1000$'
copy='head -c 3000000 /dev/urandom >a && p2pdma copy --via ram --verify'
refusal=$(buildah run "$container" -- bash -c "$copy a b 2>&1" || true)
expect "the usual seccomp profile forbids io_uring, and that is said" "$refusal" 'does not allow io_uring.*'
expect "with the way around" "$refusal" 'engine sync'
buildah run "$container" -- bash -c "$copy --engine sync a b >/dev/null && cmp a b"
echo "ok    a copy by the sync engine"
jq '.syscalls += [{ names: ["io_uring_setup", "io_uring_enter", "io_uring_register"], action: "SCMP_ACT_ALLOW" }]' \
	/usr/share/containers/seccomp.json >"$context/with-io_uring.json"
start runtime --security-opt "seccomp=$context/with-io_uring.json"
expect "a copy by io_uring, with those three calls allowed" \
	"$(buildah run "$container" -- bash -c "$copy a b && cmp a b")" 'engine +uring'

if [ -n "${LAB:-}" ]; then
	# The same kernel as outside, since building another takes minutes.
	mkdir "$context/kernel"
	cp "$(node dist/p2pdma.js lab build | sed -n 's/^kernel *//p')" "$context/kernel/bzImage"
	build lab --build-context "kernel=$context/kernel"
	start lab --security-opt seccomp=unconfined
	say "p2pdma lab demo"
	buildah run "$container" -- p2pdma lab demo
fi

build test
start test --security-opt seccomp=unconfined
say "npm run test:unit"
buildah run "$container" -- npm run --silent test:unit
