// SPDX-License-Identifier: MIT
import { mail, noted, type SeriesPatch } from "./types.ts";

const common = {
  author: "Ralph Campbell",
  group: "page references",
  mainline: undefined,
  feature: undefined,
} as const;

export const pageReferencePatches: readonly SeriesPatch[] = [
  {
    ...common,
    number: 1,
    title: "ext4/xfs: add page refcount helper",
    subsystem: "fs: DAX, ext4, XFS",
    purpose:
      "File systems on persistent memory wait for pages to become idle. Ask through one helper, so that what idle means can change in one place.",
    needs: [],
    fate: "dropped",
    outcome: "Left out from v6 on: a clean-up of free_zone_device_page() in 5.18 had made it unnecessary.",
    changes: ["v6 is based on 5.18-rc1 with that clean-up"],
    sources: [
      mail("v5 cover letter: included to show that the two directions are compatible"),
      mail("v7 cover letter, changes since v5"),
    ],
  },
  {
    ...common,
    number: 2,
    title: "mm: remove extra ZONE_DEVICE struct page refcount",
    subsystem: "mm",
    purpose:
      "Device pages counted from one while idle, other pages from zero. Counting both alike lets the last user of a page of p2pmem return it to its pool.",
    needs: [1],
    fate: "dropped",
    outcome: "Left out from v6 on; the same end was reached in mainline by the clean-up of 5.18.",
    changes: ["v6 is based on 5.18-rc1 with that clean-up"],
    sources: [
      mail("v5 cover letter: problems known, included as a demonstration"),
      mail("v7 cover letter, changes since v5"),
      noted("clean-up by Christoph Hellwig, 5.18"),
    ],
  },
];
