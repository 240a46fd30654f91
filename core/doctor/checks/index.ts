// SPDX-License-Identifier: MIT
import type { Check } from "../finding.ts";
import {
  iommu,
  ioUring,
  lockdown,
  longTermPins,
  nvmeDriver,
  providerRemoval,
  virtualMachine,
} from "./access.ts";
import { alignment, directIo, mixedMemory, multipath, stacking } from "./block.ts";
import { cmbChecks } from "./cmb.ts";
import { kernelOption, kernelVersion } from "./kernel.ts";
import { cmbQueues, mappingMode, permission, pool } from "./memory.ts";
import { pathChecks } from "./path.ts";
import { probe, transferHangs } from "./probe.ts";

/** Every check, in the order in which an operator should work through them. */
export const checks: readonly Check[] = [
  ...[kernelVersion, kernelOption, nvmeDriver],
  ...cmbChecks,
  ...[cmbQueues, pool, mappingMode, permission],
  ...pathChecks,
  ...[multipath, stacking, directIo, alignment, longTermPins, ioUring, iommu, lockdown, virtualMachine],
  ...[probe, transferHangs, mixedMemory, providerRemoval],
];
