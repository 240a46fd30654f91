// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { expandBareOptions } from "../../../cli/argv.ts";

test("a bare --allow-write does not swallow the source behind it", () => {
  const argv = ["copy", "--allow-write", "/dev/a", "/dev/b"];
  assert.equal(expandBareOptions(argv), ["copy", "--allow-write=*", "/dev/a", "/dev/b"]);
});

test("a named device and what stands behind -- stay as they are", () => {
  const argv = ["--allow-write=/dev/a", "--", "x", "--allow-write"];
  assert.equal(expandBareOptions(argv), argv);
});

test.run();
