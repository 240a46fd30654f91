// SPDX-License-Identifier: MIT
// Writes V8's compiled form of the bundle beside it: of what a copy of a small file runs through.
"use strict";
const { mkdtempSync, rmSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const dist = join(__dirname, "..", "dist");
const folder = mkdtempSync(join(dist, "compile-"));
const source = join(folder, "source");
writeFileSync(source, Buffer.alloc(4096, 1));
process.argv.splice(
  2,
  Infinity,
  "copy",
  "--quiet",
  "--no-journal",
  "--via",
  "ram",
  source,
  join(folder, "destination"),
);

rmSync(join(dist, "bundle.cache"), { force: true });
const script = require(join(dist, "p2pdma.js"));
process.on("exit", () => {
  writeFileSync(join(dist, "bundle.cache"), script.createCachedData());
  rmSync(folder, { recursive: true });
  process.exitCode = 0;
});
