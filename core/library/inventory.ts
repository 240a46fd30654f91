// SPDX-License-Identifier: MIT
import { type ListedController, type ListedProvider, takeInventory } from "../inventory.ts";
import { here } from "./environment.ts";

/**
 * Devices that lend their memory. Each way to get at it is tried with one page, so that `allocators` tells what works.
 */
export function listProviders(): readonly ListedProvider[] {
  return takeInventory(here.sys, here.native).providers;
}

/** NVMe controllers with their namespaces, p2pmem, links, and who uses what. Nothing is opened. */
export function listDrives(): readonly ListedController[] {
  return takeInventory(here.sys, undefined).controllers;
}
