// SPDX-License-Identifier: MIT
// Each marked line must be a mistake to the compiler: with types that know nothing, none would be.
import { allocate, copy, type Receipt, verify } from "p2pdma";

// @ts-expect-error a way that there is not
copy({ source: "a", destination: "b", via: "P2P" });
// @ts-expect-error byte counts are bigint
copy({ source: "a", destination: "b", offset: 4096 });
// @ts-expect-error an option that there is not
copy({ source: "a", destination: "b", verfiy: true });
// @ts-expect-error no destination
verify({ source: "a" });
// @ts-expect-error a size in bytes is a bigint
allocate("nvme0", 4096);
// @ts-expect-error byte counts of receipts are strings
export const length = (receipt: Receipt): bigint => receipt.lengthBytes;
