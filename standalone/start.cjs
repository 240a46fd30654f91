// SPDX-License-Identifier: MIT
// What the standalone program runs first: the bundle inside it, with V8's compiled form of it.
"use strict";
const { getRawAsset } = require("node:sea");
const { Script } = require("node:vm");

const bundle = Buffer.from(getRawAsset("bundle.cjs"));
const compiled = Buffer.from(getRawAsset("bundle.cache"));
// The bundle is ASCII; read as latin1 it stays one byte a character.
const script = new Script(`(function (require) {${bundle.latin1Slice()}\n})`, {
  filename: "p2pdma",
  cachedData: compiled,
});
script.runInThisContext()(require);
