// SPDX-License-Identifier: MIT
// A sysfs with block devices, made file by file.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { SystemFiles } from "../../../../core/sysfs.ts";
import { tempFolder } from "../../temp.ts";

const folder = tempFolder("block");

export class BlockTree {
  readonly root = mkdtempSync(join(folder, "tree-"));
  readonly sys = new SystemFiles(this.root);

  file(path: string, content: string): this {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), `${content}\n`);
    return this;
  }

  folder(path: string): this {
    mkdirSync(join(this.root, path), { recursive: true });
    return this;
  }

  disk(name: string, number: string, wwid?: string): this {
    if (wwid) this.file(`/sys/class/block/${name}/wwid`, wwid);
    return this.file(`/sys/class/block/${name}/dev`, number);
  }

  partition(disk: string, index: number, number: string, sectors = 2048): this {
    const name = `${disk}p${index}`;
    for (const at of [`/sys/class/block/${disk}/${name}`, `/sys/class/block/${name}`]) {
      this.file(`${at}/partition`, String(index))
        .file(`${at}/dev`, number)
        .file(`${at}/size`, String(sectors));
    }
    return this;
  }

  mounts(...lines: string[]): this {
    return this.file("/proc/self/mountinfo", lines.join("\n"));
  }

  swaps(...paths: string[]): this {
    return this.file("/proc/swaps", ["Filename Type Size", ...paths.map((path) => `${path} x 1`)].join("\n"));
  }
}
