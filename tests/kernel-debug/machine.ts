// SPDX-License-Identifier: MIT
import { captureIn, type LabSession, startLab } from "../../lab/run.ts";
import { drive, nullDrive, pciSwitch, ramProvider, rootPort, topology } from "../../lab/topology.ts";

/**
 * Long enough for a read to be under way whenever something is taken away. QEMU reads into a peer's CMB page by
 * page, so a longer read takes a multiple of it.
 */
const SLOW_DRIVE_LATENCY_NS = 50_000_000;
const BOOT_TIMEOUT_MS = 600_000;

/** A host that is busy stops the guest for a while, which is no fault of its kernel. */
const PATIENCE = ["watchdog_thresh=60", "rcupdate.rcu_cpu_stall_timeout=300"];

/** A provider of either kind, a plain drive that reads from them, and one whose reads take their time. */
const debugMachine = topology({
  name: "kernel-debug",
  summary: "drives A (16 MiB CMB), B, C (slow), D and a 16 MiB memory BAR below one switch",
  memoryMiB: 3072,
  kernelArgs: ["pci_p2pmem_bar.ids=1af4:1110", "pci_p2pmem_bar.bar=2", "log_buf_len=16M", ...PATIENCE],
  pci: [
    rootPort(
      pciSwitch(
        drive("A", { cmbMiB: 16 }),
        drive("B"),
        nullDrive("C", { backend: { kind: "null", latencyNs: SLOW_DRIVE_LATENCY_NS } }),
        ramProvider(16),
        drive("D"),
      ),
    ),
  ],
});

/** Who tells the kernel that a card is pulled: its slot, or the firmware. */
export type Hotplug = "pciehp" | "acpiphp";

export function bootDebugMachine(kernel: string, hotplug: Hotplug, append?: string): Promise<LabSession> {
  const slots = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"];
  return startLab({
    topology: debugMachine,
    kernel,
    accel: "tcg",
    bootTimeoutMs: BOOT_TIMEOUT_MS,
    qemuArgs: hotplug === "pciehp" ? slots : [],
    ...(append === undefined ? {} : { append }),
  });
}

/** A way to p2pmem, and the card that it is on. */
export interface Provider {
  readonly name: string;
  /** PCI function's folder in sysfs. */
  readonly folder: string;
  /** The file that is mapped, for a shell: the number of an NVMe device may change with every binding. */
  readonly file: string;
  /** The drive whose memory it is, as long as it was never taken away. */
  readonly ownDrive?: string;
  readonly card: Card;
}

/** How QEMU plugs something in again: an object for the device to use, if it needs one, and the device. */
export interface Card {
  readonly id: string;
  readonly device: (unique: number) => object;
  readonly object?: (unique: number) => object;
}

const driveA: Card = {
  id: "drive-A",
  device: () => ({
    ...{ driver: "nvme", id: "drive-A", bus: "down0" },
    ...{ drive: "disk-A", serial: "P2PLAB-A", cmb_size_mb: 16 },
  }),
};

/** Has nothing to do with p2pmem. */
export const spareCard: Pick<Card, "id"> = { id: "drive-D" };

/** QEMU 7.2 aborts when a memory backend is plugged in for the second time, so each gets a new one. */
const memoryBar: Card = {
  id: "ram0",
  object: (unique) => ({
    ...{ "qom-type": "memory-backend-ram", id: `ram0-memory-${unique}` },
    ...{ size: 16 * 2 ** 20, share: true },
  }),
  device: (unique) => ({
    ...{ driver: "ivshmem-plain", id: "ram0", bus: "down3", memdev: `ram0-memory-${unique}` },
  }),
};

export async function findProviders(lab: LabSession): Promise<Provider[]> {
  const cmb = await realpath(lab, "/sys/class/nvme/nvme0/device");
  const bar = await realpath(lab, "/sys/bus/pci/drivers/pci-p2pmem-bar/0000:*");
  const allocate = (folder: string) => `${folder}/p2pmem/allocate`;
  return [
    {
      ...{ name: "CMB through /dev/nvmeX", folder: cmb, file: `/dev/$(ls ${cmb}/nvme)` },
      ...{ ownDrive: "/dev/lab/A", card: driveA },
    },
    {
      ...{ name: "CMB through p2pmem/allocate", folder: cmb, file: allocate(cmb) },
      ...{ ownDrive: "/dev/lab/A", card: driveA },
    },
    { name: "memory BAR through p2pmem/allocate", folder: bar, file: allocate(bar), card: memoryBar },
  ];
}

async function realpath(lab: LabSession, path: string): Promise<string> {
  const { stdout } = await captureIn(lab, { command: ["sh", "-c", `readlink -f ${path}`] });
  return stdout.trim();
}

/** Has QEMU press the button of the card's slot; resolves when the guest has let it go. */
export async function pullCard(lab: LabSession, card: Pick<Card, "id">): Promise<void> {
  const gone = lab.qmp.nextEvent("DEVICE_DELETED", 120_000);
  await lab.qmp.execute("device_del", { id: card.id });
  await gone;
}

/** QEMU frees what a card used a moment after it is gone, so plugging in may take a few attempts. */
export async function plugCard(lab: LabSession, card: Card): Promise<void> {
  const now = Date.now();
  if (card.object) await lab.qmp.execute("object-add", card.object(now));
  while (!(await tryToPlug(lab, card.device(now), Date.now() > now + 20_000)))
    await new Promise((resolve) => setTimeout(resolve, 200));
}

async function tryToPlug(lab: LabSession, device: object, isLastAttempt: boolean): Promise<boolean> {
  try {
    await lab.qmp.execute("device_add", device);
    return true;
  } catch (error) {
    if (isLastAttempt) throw error;
    return false;
  }
}
