// SPDX-License-Identifier: MIT

/** What a manual page says that is not in the help. */
export interface Facts {
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  /** Other commands' pages. */
  readonly related?: readonly string[];
  /** In docs/. */
  readonly docs?: readonly string[];
}

const P2PMEM = {
  "/sys/bus/pci/devices/ADDRESS/p2pmem/":
    "The kernel's view of a provider: size, free memory, and allocate, the file that is mapped.",
};
const JOURNALS = {
  "$XDG_STATE_HOME/p2pdma/journals/":
    "Journals of copies that were given no other place, one for each pair of drives; below ~/.local/state where the variable is not set.",
};
const CACHE = {
  "$XDG_CACHE_HOME/p2pdma/":
    "Kernels that were built, and what is known about KVM; below ~/.cache where the variable is not set.",
};
const STATE_HOME = { XDG_STATE_HOME: "Where journals are kept." };
const LAB_ENVIRONMENT = {
  XDG_CACHE_HOME: "Where kernels are kept.",
  P2PDMA_LAB_KERNEL: "A bzImage to boot instead of the lab's own.",
  P2PDMA_LAB_QEMU: "The emulator, instead of qemu-system-x86_64.",
  P2PDMA_KERNEL_SOURCE: "The archive that the lab's kernel is built from.",
};

const COPYING = ["copy", "resume", "verify", "migrate"];
const LOOKING = ["list", "topo", "doctor", "capture"];

/** By the command's path; a command without an entry has that of the one above it. */
export const FACTS: Readonly<Record<string, Facts>> = {
  "": { files: { ...P2PMEM, ...JOURNALS, ...CACHE }, environment: { ...STATE_HOME, ...LAB_ENVIRONMENT } },
  list: { files: P2PMEM, related: LOOKING },
  topo: { related: LOOKING, docs: ["how-p2pdma-works.md", "runbooks/eremoteio.md"] },
  doctor: { related: [...LOOKING, "kernel status"], docs: ["runbooks/eremoteio.md"] },
  capture: { related: LOOKING },
  copy: {
    files: { ...JOURNALS, ...P2PMEM },
    environment: STATE_HOME,
    related: [...COPYING, "doctor"],
    docs: ["copy.md", "runbooks/first-copy.md", "runbooks/receipt.md"],
  },
  resume: { files: JOURNALS, environment: STATE_HOME, related: COPYING, docs: ["copy.md"] },
  verify: { related: COPYING, docs: ["copy.md"] },
  migrate: {
    files: { "PLAN.p2pjob/": "The job beside its plan: state, the pairs' journals and receipts, a lock." },
    related: COPYING,
    docs: ["migrate.md", "runbooks/shelf-migration.md"],
  },
  bench: { related: ["copy", "cmb test"], docs: ["performance.md", "mixed-iovecs.md"] },
  cmb: { files: P2PMEM, related: ["list", "doctor"] },
  kernel: {
    files: CACHE,
    environment: LAB_ENVIRONMENT,
    related: ["doctor", "lab"],
    docs: ["kernel-series.md"],
  },
  lab: { files: CACHE, environment: LAB_ENVIRONMENT, related: ["kernel build"] },
  shell: { files: P2PMEM, related: ["cmb", "copy"], docs: ["shell.md"] },
  completion: {},
};
