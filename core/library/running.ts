// SPDX-License-Identifier: MIT
import type { CopyEvent } from "../copy/events.ts";
import { eventReporter, hooksOf } from "../copy/reporter.ts";
import type { CopyHooks } from "../copy/request.ts";
import { StopSwitch } from "../copy/stop.ts";
import { P2pdmaError } from "../errors.ts";
import { ExitCode } from "../exit-codes.ts";
import { EventQueue } from "./event-queue.ts";

/**
 * Work under way: await it for its result, or iterate over it to see how it gets on and await it then. Who does
 * not iterate pays nothing for it; leaving the loop early does not stop the work.
 */
export interface Running<Result> extends Promise<Result>, AsyncIterable<CopyEvent> {
  /**
   * Stops at once: nothing new is started, and what was read is not written. The option `signal` is the gentle
   * way: what was read is still written. Both leave a journal to go on from. Harmless when repeated or too late.
   */
  abort(): void;
}

/** Everything but the permission, which is asked for in different words. */
export type RunHooks = Omit<CopyHooks, "permit">;

/**
 * Begins work, in the next microtask.
 * @param signal whatever was given for it: the work is what checks options
 * @param verdict finds fault with a result
 */
export function run<Result>(
  signal: unknown,
  work: (hooks: RunHooks) => Promise<Result>,
  verdict: (result: Result) => P2pdmaError | undefined = () => undefined,
): Running<Result> {
  const stop = new StopSwitch();
  const events = new EventQueue();
  const ours = signal instanceof AbortSignal ? signal : undefined;
  const result = Promise.resolve().then(() => observed(work, verdict, ours, stop, events));
  return Object.assign(result, {
    abort: () => stop.request("abort", "caller"),
    [Symbol.asyncIterator]: () => {
      result.catch(() => {}); // the loop throws it
      return eventsOf(events, result);
    },
  });
}

async function observed<Result>(
  work: (hooks: RunHooks) => Promise<Result>,
  verdict: (result: Result) => P2pdmaError | undefined,
  signal: AbortSignal | undefined,
  stop: StopSwitch,
  events: EventQueue,
): Promise<Result> {
  const reporter = eventReporter((event) => events.push(event));
  const onAbort = () => stop.request("drain", "caller");
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal?.aborted || stop.mode) throw interrupted();
    const result = await work({ stop, ...hooksOf(reporter) });
    const fault = verdict(result);
    if (fault) throw fault;
    reporter.end(ExitCode.done, "done");
    return result;
  } catch (error) {
    const exitCode = error instanceof P2pdmaError ? error.exitCode : ExitCode.failed;
    reporter.end(exitCode, error instanceof Error ? error.message : String(error));
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    events.end();
  }
}

function interrupted(): P2pdmaError {
  return new P2pdmaError("INTERRUPTED", ExitCode.interrupted, "Interrupted before anything was begun");
}

async function* eventsOf(events: EventQueue, result: Promise<unknown>): AsyncGenerator<CopyEvent, void> {
  for (let event = await events.next(); event; event = await events.next()) yield event;
  await result;
}
