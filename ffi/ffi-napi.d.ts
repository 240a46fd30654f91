// SPDX-License-Identifier: MIT
// The part of ffi-napi that ffi/load.ts uses; the packages bring no types.
declare module "ffi-napi" {
  type NativeFunction = ((...args: unknown[]) => number | string) & {
    async(...args: [...unknown[], (error: Error | null, result: number | string) => void]): void;
  };
  type Library = Record<string, NativeFunction>;
  /** An open library; unlike `Library` it takes the path as it is. */
  interface DynamicLibrary {
    path(): string;
  }
  interface Ffi {
    readonly DynamicLibrary: new (path: string) => DynamicLibrary;
    Library(file: string | null | DynamicLibrary, signatures: Record<string, [string, string[]]>): Library;
    errno(): number;
  }
}

declare module "ref-napi" {
  interface Ref {
    /** Address of a Buffer's first byte. */
    address(buffer: Uint8Array): number;
  }
}
