// SPDX-License-Identifier: MIT

/** Generic command status (type 0), and type 1 and 2 of the commands that are used here, without Do Not Retry and More. */
const MEANINGS: Readonly<Record<number, string>> = {
  1: "Invalid Command Opcode",
  2: "Invalid Field in Command",
  4: "Data Transfer Error",
  6: "Internal Error",
  11: "Invalid Namespace or Format",
  18: "Invalid Use of Controller Memory Buffer",
  32: "Namespace is Write Protected",
  128: "LBA Out of Range",
  129: "Capacity Exceeded",
  130: "Namespace Not Ready",
  387: "Command Size Limit Exceeded",
  640: "Write Fault",
  641: "Unrecovered Read Error",
  645: "Compare Failure",
  646: "Access Denied",
  647: "Deallocated or Unwritten Logical Block",
};

/**
 * An NVMe status field in words and digits: `Unrecovered Read Error (status 0x281)`.
 * Values: NVM Express Base Specification 2.0, figures 94 to 98; NVM Command Set Specification 1.0, figures 20 to 22.
 */
export function describeStatus(status: number): string {
  const code = `status 0x${status.toString(16)}`;
  const meaning = MEANINGS[status & 0x7ff];
  return meaning ? `${meaning} (${code})` : `NVMe ${code}`;
}
