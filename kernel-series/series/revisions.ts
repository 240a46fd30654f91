// SPDX-License-Identifier: MIT
import { inferred, mail, noted, type Revision, unverified } from "./types.ts";

const CHARACTER_DEVICE = "mmap of /dev/nvmeX, allocates at the first touch";

/** Every posting of the series. */
export const revisions: readonly Revision[] = [
  {
    ...{ name: "RFC", date: "6 November 2020", base: undefined, interface: CHARACTER_DEVICE },
    what: "The whole idea: direct I/O and passthrough with mapped CMB memory, and p2pmem inside dma_map_sg(), marked by a bit of the DMA length.",
    sources: [mail("20201106170036.18713-1, and linux-pci at spinics.net msg101522")],
  },
  {
    ...{ name: "v1", date: "spring 2021", base: "5.12-rc2", interface: undefined },
    what: "A second RFC, of the DMA mapping half alone, 11 patches: the mark moves to the last free bit of page_link, as Dan Williams proposed, for which P2PDMA needs 64-bit kernels from here on.",
    sources: [
      mail("linux-block at spinics.net msg65814"),
      inferred("the date, by its base; that v2 counts from it"),
    ],
  },
  {
    ...{ name: "v2", date: "2021", base: undefined, interface: undefined },
    what: "The same half, 13 patches. The preparing ones went into 5.15 on their own.",
    sources: [mail("v3 cover letter"), unverified("date")],
  },
  {
    ...{ name: "v3", date: "16 September 2021", base: "5.15-rc1", interface: CHARACTER_DEVICE },
    what: "20 patches: the user-space half is back.",
    sources: [mail("20210916234100.122368-1")],
  },
  {
    ...{ name: "v4", date: "17 November 2021", base: "5.16-rc1", interface: undefined },
    what: "Names of the scatterlist flag made general, pages of different providers kept apart, memory returned after an RCU grace period, never through swiotlb.",
    sources: [mail("20211117215410.3695-1, named in the v5 cover letter with its changes")],
  },
  {
    ...{ name: "v5", date: "27 January 2022", base: "5.17-rc1", interface: undefined },
    what: "24 patches, the ones listed here: Ralph Campbell's two on page references included.",
    sources: [mail("20220128002614.6136-1")],
  },
  {
    ...{
      name: "v6",
      date: "7 April 2022",
      base: "5.18-rc1",
      interface: "two first touches at once no longer lose memory",
    },
    what: "21 patches: without the two on page references, which 5.18 made unnecessary.",
    sources: [mail("20220407154717.7695-1, named in the v7 cover letter with its changes")],
  },
  {
    ...{ name: "v7", date: "15 June 2022", base: "5.19-rc1", interface: undefined },
    what: "Reworks how a mapping keeps its pages.",
    sources: [mail("20220615161233.17527-1")],
  },
  {
    ...{ name: "v8", date: "8 July 2022", base: "5.19-rc1", interface: undefined },
    what: "The DMA mapping half alone; it was merged for 6.0.",
    sources: [mail("20220708165104.5005-1, named in the v9 cover letter")],
  },
  {
    ...{ name: "v9", date: "25 August 2022", base: "6.0-rc2" },
    interface: "p2pmem/allocate in sysfs, allocates at mmap; /dev/nvmeX can't be mapped any more",
    what: "8 patches: the user-space half on a file in sysfs. No anonymous inode, hardly a hook in the NVMe driver.",
    sources: [mail("v9 cover letter, 25 August 2022")],
  },
  {
    ...{ name: "v10", date: "September 2022", base: undefined, interface: undefined },
    what: "9 patches: a preparing one for get_user_pages() is new.",
    sources: [mail("list of patches in its cover letter"), noted("month")],
  },
  {
    ...{ name: "v11", date: "October 2022", base: undefined, interface: undefined },
    what: "The last one; merged for 6.2.",
    sources: [noted("month and release")],
  },
];
