// SPDX-License-Identifier: MIT
// Machines that several tests look at.
import { downstream, drive, type FakeFunction, hostFunction, rootPort, upstream } from "./fake-machine.ts";

const GEN4 = [16, 4, 16, 4] as const;

/** Drives A (64 MiB CMB), B (32 MiB CMB) and C below one switch, as in the lab's `switch`. */
export function oneSwitch(acs?: number): FakeFunction[] {
  const port = acs === undefined ? {} : { acs };
  return [
    hostFunction("0000:00:00.0"),
    { bdf: "0000:00:01.0", classCode: 0x078000, driver: "virtio-pci" },
    rootPort("0000:00:10.0", { acs: 0x1d }),
    upstream("0000:01:00.0", "0000:00:10.0", { link: [16, 16, 16, 16] }),
    downstream("0000:02:00.0", "0000:01:00.0", port),
    downstream("0000:02:01.0", "0000:01:00.0", port),
    downstream("0000:02:02.0", "0000:01:00.0", port),
    drive("0000:03:00.0", "0000:02:00.0", "nvme0", { p2pmemMiB: 64, link: GEN4 }),
    drive("0000:04:00.0", "0000:02:01.0", "nvme1", { p2pmemMiB: 32, link: [8, 2, 16, 4] }),
    drive("0000:05:00.0", "0000:02:02.0", "nvme2", { link: GEN4 }),
  ];
}

/** A drive on each of two root ports, nvme0 with a CMB. */
export function rootPorts(ids = "8086:29c0"): FakeFunction[] {
  return [
    hostFunction("0000:00:00.0", { ids }),
    rootPort("0000:00:10.0"),
    rootPort("0000:00:11.0"),
    drive("0000:01:00.0", "0000:00:10.0", "nvme0", { p2pmemMiB: 64 }),
    drive("0000:02:00.0", "0000:00:11.0", "nvme1"),
  ];
}

/** A drive below each of two host bridges. */
export function hostBridges(first: string, second = first): FakeFunction[] {
  return [
    hostFunction("0000:00:00.0", { ids: first, numa: 0 }),
    rootPort("0000:00:10.0", { numa: 0 }),
    drive("0000:01:00.0", "0000:00:10.0", "nvme0", { p2pmemMiB: 64, numa: 0 }),
    hostFunction("0000:80:00.0", { root: "pci0000:80", ids: second, numa: 1 }),
    rootPort("0000:80:01.0", { root: "pci0000:80", numa: 1 }),
    drive("0000:81:00.0", "0000:80:01.0", "nvme1", { numa: 1, p2pmemMiB: 64 }),
  ];
}

/** Two switches of two drives each under two root ports of one host bridge; one switch redirects. */
export function twoSwitches(): FakeFunction[] {
  const wing = (bus: number, port: string, first: number, acs: number): FakeFunction[] => {
    const at = (offset: number, device = 0) =>
      `0000:${(bus + offset).toString(16).padStart(2, "0")}:0${device}.0`;
    return [
      rootPort(port, { numa: 0 }),
      upstream(at(0), port, { link: [16, 16, 32, 16], numa: 0 }),
      ...[0, 1].flatMap((slot) => [
        downstream(at(1, slot), at(0), { acs, numa: 0, group: first * 10 + slot }),
        drive(at(2 + slot), at(1, slot), `nvme${first + slot}`, {
          ...(slot === 0 ? { p2pmemMiB: 512 } : {}),
          ...{ link: slot === 0 ? ([16, 4, 16, 4] as const) : ([8, 4, 16, 4] as const), numa: 0 },
          nvme: {
            name: `nvme${first + slot}`,
            model: slot === 0 ? "Eideticom NoLoad" : "Samsung PM1733",
            gib: 3576,
          },
          group: first * 10 + slot,
        }),
      ]),
    ];
  };
  return [
    hostFunction("0000:00:00.0", { ids: "8086:09a2", numa: 0 }),
    ...wing(1, "0000:00:02.0", 0, 0x11),
    ...wing(0x11, "0000:00:03.0", 2, 0x1d),
  ];
}

/** Two sockets, each with two switches of six drives: 24, half of them with a CMB. */
export function largeMachine(): FakeFunction[] {
  const functions: FakeFunction[] = [];
  let drives = 0;
  for (const [socket, base] of [0x00, 0x80].entries()) {
    const hex = (value: number) => value.toString(16).padStart(2, "0");
    const root = `pci0000:${hex(base)}`;
    functions.push(hostFunction(`0000:${hex(base)}:00.0`, { root, ids: "8086:2020", numa: socket }));
    let bus = base;
    for (const slot of [1, 3]) {
      const port = `0000:${hex(base)}:0${slot}.0`;
      const up = `0000:${hex(++bus)}:00.0`;
      const inner = ++bus;
      functions.push(
        rootPort(port, { root, numa: socket }),
        upstream(up, port, { link: [8, 16, 8, 16], numa: socket }),
      );
      for (let place = 0; place < 6; place++) {
        const down = `0000:${hex(inner)}:0${place}.0`;
        const name = `nvme${drives++}`;
        functions.push(
          downstream(down, up, { acs: slot === 3 && socket === 1 ? 0x1d : 0x11, numa: socket }),
          drive(`0000:${hex(++bus)}:00.0`, down, name, {
            ...(place % 2 === 0 ? { p2pmemMiB: 128 } : {}),
            ...{ link: place === 5 ? ([2.5, 4, 8, 4] as const) : ([8, 4, 8, 4] as const), numa: socket },
            nvme: { name, model: "INTEL SSDPE2KX040T8", gib: 3725 },
          }),
        );
      }
    }
  }
  return functions;
}
