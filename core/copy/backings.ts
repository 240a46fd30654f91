// SPDX-License-Identifier: MIT
import type { SystemView } from "../sysfs.ts";
import { type BlockUse, fileKey } from "./in-use.ts";
import { listSwaps } from "./mounts.ts";

interface Backing {
  readonly kind: BlockUse["kind"];
  readonly by: string;
  /** As its user has it. */
  readonly path: string;
}

/**
 * Users that claim nothing and are known by path only: loop devices, NVMe targets, swap files.
 * @param parts block devices by number, `259:1`, or files by `dev:ino`, with what to call each
 */
export function findBackings(sys: SystemView, parts: ReadonlyMap<string, string>): BlockUse[] {
  return [...listLoops(sys), ...listTargets(sys), ...swapFiles(sys)].flatMap(({ path, kind, by }) => {
    const part = parts.get(fileKey(path)?.key ?? "");
    return part === undefined ? [] : [{ part, kind, by }];
  });
}

function listLoops(sys: SystemView): Backing[] {
  return sys.list("/sys/class/block").flatMap((name): Backing[] => {
    const path = name.startsWith("loop") ? sys.text(`/sys/class/block/${name}/loop/backing_file`) : undefined;
    return path ? [{ kind: "held", by: name, path }] : [];
  });
}

const TARGETS = "/sys/kernel/config/nvmet/subsystems";

/** Namespaces that this machine exports over NVMe; the kernel's target opens them without claiming them. */
function listTargets(sys: SystemView): Backing[] {
  return sys.list(TARGETS).flatMap((subsystem) =>
    sys.list(`${TARGETS}/${subsystem}/namespaces`).flatMap((nsid): Backing[] => {
      const at = `${TARGETS}/${subsystem}/namespaces/${nsid}`;
      const path = sys.text(`${at}/enable`) === "1" ? sys.text(`${at}/device_path`) : undefined;
      return path ? [{ kind: "held", by: `the NVMe target ${subsystem}, namespace ${nsid}`, path }] : [];
    }),
  );
}

/** Swap on block devices is found by number elsewhere. */
function swapFiles(sys: SystemView): Backing[] {
  return listSwaps(sys)
    .filter((path) => !path.startsWith("/dev/"))
    .map((path) => ({ kind: "swap", by: path, path }));
}
