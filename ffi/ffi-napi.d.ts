// SPDX-License-Identifier: MIT
// The part of ffi-napi that ffi/load.ts uses; the packages bring no types.
declare module "ffi-napi" {
  type NativeFunction = ((...args: unknown[]) => number | string) & {
    async(...args: [...unknown[], (error: Error | null, result: number | string) => void]): void;
  };
  interface Ffi {
    Library(
      file: string | null,
      signatures: Record<string, [string, string[]]>,
    ): Record<string, NativeFunction>;
    errno(): number;
  }
  const ffi: Ffi;
  export default ffi;
}

declare module "ref-napi" {
  interface Ref {
    /** Address of a Buffer's first byte. */
    address(buffer: Uint8Array): number;
  }
  const ref: Ref;
  export default ref;
}
