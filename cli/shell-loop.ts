// SPDX-License-Identifier: MIT
import { PassThrough, Writable } from "node:stream";
import { CLI } from "cliffy";

export interface LoopParts {
  /** Names of all commands. */
  readonly commands: readonly string[];
  /** The words of the next line; undefined ends the loop. */
  readonly next: () => Promise<readonly string[] | undefined>;
  /** Runs a command to its end; must not throw. */
  readonly run: (words: readonly string[]) => Promise<void>;
}

const READY = "ready> ";

/**
 * The session's loop is cliffy's: it asks for a line, finds the command, waits for its end and asks again. It reads
 * from a pipe of ours, since it knows neither an end of input nor completion nor history, and gets each word in
 * letters that its own parser keeps together: that one would cut `/dev/nvme0n1` to pieces.
 */
export function runLoop({ commands, next, run }: LoopParts): Promise<void> {
  return new Promise((resolve, reject) => {
    const lines = new PassThrough();
    const questions = new Writable({
      write: (text, _encoding, done) => {
        done();
        if (String(text) === READY) feed().catch(reject);
      },
    });
    const cli = new CLI({ input: lines, output: questions, quietBlank: true }).setDelimiter(READY);
    for (const name of commands) {
      cli.addCommand(encodeWord(name), {
        parameters: [{ label: "words", rest: true, type: decodeWord }],
        action: ({ words }) => run([name, ...words]),
      });
    }
    // What is no command is not cliffy's business: it would print its own help.
    const feed = async () => {
      for (let words = await next(); words; words = await next()) {
        if (commands.includes(words[0] ?? "")) return lines.write(`${words.map(encodeWord).join(" ")}\n`);
        await run(words);
      }
      cli.hide();
      resolve();
    };
    cli.show();
  });
}

/** Letters, digits, - and _, and never empty. */
function encodeWord(word: string): string {
  return `w${Buffer.from(word).toString("base64url")}`;
}

function decodeWord(encoded: string): string {
  return Buffer.from(encoded.slice(1), "base64url").toString();
}
