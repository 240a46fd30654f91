#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds everything that runs: the C helper, the lab's guest init, the bundle, the library, the manual.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p dist
make -s -C c-helpers
make -s -C lab/guest
# The native binding stays outside the bundle: it finds its compiled part by its own path.
node_modules/.bin/esbuild cli/main.ts --bundle --platform=node --target=node20 --format=cjs \
  --external:ffi-napi --external:ref-napi --outfile=dist/bundle.cjs --log-level=warning --legal-comments=none \
  --minify-whitespace --minify-syntax --define:import.meta.url=__moduleUrl \
  --banner:js='const __moduleUrl = require("node:url").pathToFileURL(__filename).href;'
echo '{ "type": "commonjs" }' >dist/package.json
install -m 755 cli/start.cjs dist/p2pdma.js
node scripts/compile-bundle.cjs
# A file, since a package can't hold links.
mkdir -p dist/bin
printf '#!/usr/bin/env node\nrequire("../p2pdma.js");\n' >build/p2pdma
rm -f dist/bin/p2pdma
install -m 755 build/p2pdma dist/bin/p2pdma
# The library, and its types in one file.
node_modules/.bin/esbuild core/index.ts --bundle --platform=node --target=node20 --format=esm \
  --external:ffi-napi --external:ref-napi --outfile=dist/index.mjs --log-level=warning --legal-comments=none
rm -rf build/types
node_modules/.bin/tsc -p tsconfig.library.json --outDir build/types
node_modules/.bin/tsx scripts/declarations.ts build/types dist/index.d.mts
node_modules/.bin/tsx scripts/man.ts dist/man
