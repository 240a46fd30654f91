// SPDX-License-Identifier: MIT
import type { Check } from "../finding.ts";
import { ioUring, longTermPins, mappingMode, permission, providerRemoval } from "./access.ts";
import { multipath, stacking } from "./block.ts";
import { cachedVerdict } from "./cached-verdict.ts";
import { cmbAligned, cmbData, cmbPresent } from "./cmb.ts";
import { cmbEnabled, cmbRegistered } from "./cmb-setup.ts";
import { nvmeDriver } from "./drives.ts";
import { kernelOption, kernelVersion } from "./kernel.ts";
import { cmbQueues, pool } from "./memory.ts";
import { acsRedirect, busOffset, hostBridge } from "./path.ts";
import { iommu, lockdown, virtualMachine } from "./platform.ts";
import { probe, transferHangs } from "./probe.ts";
import { alignment, directIo, mixedMemory } from "./transfer.ts";

/** Every check, in the order in which an operator should work through them. */
export const checks: readonly Check[] = [
  ...[kernelVersion, kernelOption, nvmeDriver],
  ...[cmbPresent, cmbData, cmbAligned, cmbEnabled, cmbRegistered],
  ...[cmbQueues, pool, mappingMode, permission],
  ...[acsRedirect, hostBridge, busOffset, cachedVerdict],
  ...[multipath, stacking, directIo, alignment, longTermPins, ioUring, iommu, lockdown, virtualMachine],
  ...[probe, transferHangs, mixedMemory, providerRemoval],
];
