// SPDX-License-Identifier: MIT
// `node compile-standalone.cjs CONFIG`: runs standalone/start.cjs as the standalone program does, with the assets that
// CONFIG names for it, and writes V8's compiled form of what a small copy runs through: one more asset.
"use strict";
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const vm = require("node:vm");

const { main, assets } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const out = assets["bundle.cache"];
const folder = mkdtempSync(join(tmpdir(), "p2pdma-compile-"));
const source = join(folder, "source");
writeFileSync(source, Buffer.alloc(4096, 1));
process.argv = [process.execPath, process.execPath, "copy", "--quiet", "--no-journal", "--via", "ram"];
process.argv.push(source, join(folder, "destination"));

let script;
class CompiledLater extends vm.Script {
  constructor(code, { filename }) {
    super(code, { filename });
    script = this;
  }
}

const inside = {
  "node:sea": {
    getAsset: (name, encoding) => readFileSync(assets[name], encoding),
    getRawAsset: (name) =>
      name === "bundle.cache" ? new ArrayBuffer(0) : new Uint8Array(readFileSync(assets[name])).buffer,
  },
  "node:vm": { Script: CompiledLater },
};
vm.compileFunction(readFileSync(main, "utf8"), ["require"], { filename: main })(
  (name) => inside[name] ?? require(name),
);

process.on("exit", () => {
  rmSync(folder, { recursive: true });
  if (!process.exitCode) writeFileSync(out, script.createCachedData());
});
