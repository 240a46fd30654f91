#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// What `p2pdma` starts: runs the bundle beside it, with V8's compiled form of it where that fits this
// Node (V8 checks its version and flags, and compiles anew otherwise). It halves the start-up time.
"use strict";
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { Script } = require("node:vm");

const bundle = join(__dirname, "bundle.cjs");
const compiled = join(__dirname, "bundle.cache");

function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

// The bundle is ASCII; read as latin1 it stays one byte a character.
const code = `(function (require, __filename) {${readFileSync(bundle, "latin1")}\n})`;
const script = new Script(code, { filename: bundle, cachedData: readIfThere(compiled) });
script.runInThisContext()(require, bundle);
module.exports = script;
