// SPDX-License-Identifier: MIT
import { native } from "../../ffi/index.ts";
import type { CopyEnvironment } from "../copy/request.ts";
import { SystemFiles } from "../sysfs.ts";

/** The machine that this process runs on. */
export const here: CopyEnvironment = { sys: new SystemFiles(), native };
