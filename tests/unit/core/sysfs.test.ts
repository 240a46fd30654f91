// SPDX-License-Identifier: MIT
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseCapture } from "../../../core/capture/parse.ts";
import { P2pdmaError } from "../../../core/errors.ts";
import { SystemFiles } from "../../../core/sysfs.ts";
import { vmSwitch } from "../../fixtures/machines/virtual.ts";
import { captureText } from "../machines.ts";
import { tempFolder } from "../temp.ts";

const folder = tempFolder("sysfs");
const EVIL = "evil\u001b]0;owned\u0007\u009b31m\r\u007f";

test("SystemView.text() spells out control characters, which a terminal would obey", () => {
  mkdirSync(join(folder, "sys"));
  writeFileSync(join(folder, "sys/model"), `${EVIL}  \n`);
  writeFileSync(join(folder, "sys/table"), "a\tb\nc Ü…\n");
  const sys = new SystemFiles(folder);
  assert.is(sys.text("/sys/model"), "evil\\x1b]0;owned\\x07\\x9b31m\\x0d\\x7f");
  assert.is(sys.text("/sys/table"), "a\tb\nc Ü…");
});

test("a captured drive's name is spelled out, too, and names of files with control characters are refused", () => {
  const capture = JSON.parse(captureText(vmSwitch)) as { files: Record<string, unknown> };
  const [model] = Object.keys(capture.files).filter((path) => path.endsWith("/model"));
  capture.files[model ?? ""] = EVIL;
  const { view } = parseCapture(Buffer.from(JSON.stringify(capture)), "c");
  assert.not.match(view.text(model ?? "") ?? "", /[^\P{Cc}]/u);

  const renamed = captureText(vmSwitch).replaceAll("nvme0", "nvme\\u001b[31m0");
  assert.throws(
    () => parseCapture(Buffer.from(renamed), "c"),
    (error: unknown) => error instanceof P2pdmaError && !/[^\P{Cc}\n]/u.test(error.message),
  );
});

test.run();
