// SPDX-License-Identifier: MIT
import type { Feature } from "../feature.ts";
import { beyondFeatures } from "./beyond.ts";
import { directIoFeatures } from "./direct-io.ts";
import { dmaFeatures } from "./dma.ts";
import { memoryFeatures } from "./memory.ts";
import { userSpaceFeatures } from "./user-space.ts";

/** All that `kernel status` looks for, in the order it is shown. */
export const features: readonly Feature[] = [
  ...memoryFeatures,
  ...dmaFeatures,
  ...directIoFeatures,
  ...userSpaceFeatures,
  ...beyondFeatures,
];
