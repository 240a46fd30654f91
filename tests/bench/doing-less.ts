// SPDX-License-Identifier: MIT
// What verifying costs, and what holes save, against moving everything: ratios of one boot.
import type { Figure } from "./figures.ts";
import { inGuest, p2pdma } from "./programs.ts";
import { inTurns, median, ratioOf, withSpread } from "./statistics.ts";

const LENGTH = 512 << 20;
const FILE_BYTES = 256 << 20;
const DATA_MIB = 26;
const ROUNDS = 3;

export async function doingLess(): Promise<Figure[]> {
  return [...(await verifying()), ...(await holes())];
}

function verifying(): Promise<Figure[]> {
  const range = `--json --length ${LENGTH} /dev/lab/A /dev/lab/B`;
  return compare("fast", "true", `copy --via p2p --no-journal --allow-write ${range}`, {
    "verify by the drive (NVMe Compare): time to the copy's": `verify --via p2p ${range}`,
    "verify through RAM, xxh3: time to the copy's": `verify --hash xxh3 ${range}`,
    "verify through RAM, sha256: time to the copy's": `verify --hash sha256 ${range}`,
  });
}

function holes(): Promise<Figure[]> {
  const makeFile = [
    "mkfs.ext4 -q /dev/lab/A && mkdir -p /mnt/a && mount /dev/lab/A /mnt/a",
    `truncate -s ${FILE_BYTES} /mnt/a/file`,
    `dd if=/dev/urandom of=/mnt/a/file bs=1M count=${DATA_MIB} seek=100 conv=notrunc status=none && sync`,
  ].join(" && ");
  const copyFile = "copy --json --via p2p --no-journal --allow-write --overwrite filesystem";
  const name = `file of ${FILE_BYTES >> 20} MiB, ${DATA_MIB} of them data, holes left out: time to moving all`;
  return compare("switch", makeFile, `${copyFile} --sparse never /mnt/a/file /dev/lab/C`, {
    [name]: `${copyFile} --sparse auto /mnt/a/file /dev/lab/C`,
  });
}

/** The time of each command to that of the first, of one boot. */
function compare(
  topology: string,
  setUp: string,
  first: string,
  others: Readonly<Record<string, string>>,
): Promise<Figure[]> {
  return inGuest({ topology }, async (shell) => {
    await shell.run(setUp);
    const timed = (command: string) => async () => {
      const result = JSON.parse(await shell.run(`${p2pdma} ${command}`));
      return Number(result.transferMs ?? result.elapsedMs);
    };
    const contestants = Object.entries({ "": first, ...others }).map(([name, command]) => [
      name,
      timed(command),
    ]);
    const times = await inTurns<number>(ROUNDS, Object.fromEntries(contestants));
    const base = times[""] ?? [];
    return Object.keys(others).map((name) => {
      const mine = times[name] ?? [];
      const detail = `${median(mine)} to ${withSpread(base, 0)} ms`;
      return { name, value: ratioOf(mine, base), detail };
    });
  });
}
