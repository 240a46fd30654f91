#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Makes a base image like node:*-bookworm-slim out of Debian packages and this machine's Node, for
# builds where no image registry can be reached. It gets this machine's way to packages, too.
#   base.sh NAME
set -euo pipefail
name=$1
root=$(mktemp -d)
trap 'rm -rf "$root" "$root.tar"' EXIT
prefix=$(dirname "$(dirname "$(realpath "$(command -v node)")")")

debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >/dev/null
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}

# As in the official images: everything of Node below /usr/local, and a user called node.
mkdir -p "$root"/usr/local/{bin,include,lib/node_modules}
cp "$prefix/bin/node" "$root/usr/local/bin/"
cp -r "$prefix/include/node" "$root/usr/local/include/"
cp -rL "$(npm root --global)/npm" "$root/usr/local/lib/node_modules/"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
chroot "$root" useradd --uid 1000 --user-group --create-home --shell /bin/bash node

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mkdir -p "$root/usr/local/etc"
echo "cafile=/etc/ssl/certs/ca-certificates.crt" >"$root/usr/local/etc/npmrc"
cp /etc/apt/apt.conf.d/99* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true

# As an archive, since a folder would be added as root's from top to bottom.
container=$(buildah from scratch)
tar -C "$root" --numeric-owner -cf "$root.tar" .
buildah add --quiet "$container" "$root.tar" /
buildah config --cmd node --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --quiet --rm "$container" "$name"
