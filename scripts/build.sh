#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds everything that runs: the C helper, the lab's guest init, the bundle.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p dist
make -s -C c-helpers
make -s -C lab/guest
# The native binding stays outside the bundle: it finds its compiled part by its own path.
node_modules/.bin/esbuild cli/main.ts --bundle --platform=node --target=node20 --format=esm \
  --external:ffi-napi --external:ref-napi --outfile=dist/p2pdma.js --log-level=warning --legal-comments=none \
  --banner:js='import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
chmod +x dist/p2pdma.js
mkdir -p dist/bin
ln -sfn ../p2pdma.js dist/bin/p2pdma
