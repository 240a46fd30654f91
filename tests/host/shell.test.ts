// SPDX-License-Identifier: MIT
// Sessions of the built program on this machine, which has no p2pmem: scripts, pipes, signals, and a real terminal.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tempFolder } from "../unit/temp.ts";

const program = join(import.meta.dirname, "..", "..", "dist", "p2pdma.js");
const folder = tempFolder("shell-host");
const source = join(folder, "source");
writeFileSync(source, randomBytes(8 << 20));
const env = { ...process.env, XDG_STATE_HOME: join(folder, "state") };

function run(input: string, ...options: string[]) {
  return spawnSync(process.execPath, [program, "shell", ...options], { input, encoding: "utf8", env });
}

/** A program that is talked to while it runs. */
class Talk {
  #output = "";
  #heard = 0;
  readonly exitCode: Promise<number | null>;

  constructor(readonly process: ChildProcess) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on("data", (data) => {
        this.#output += stripVTControlCharacters(String(data));
      });
    }
    this.exitCode = new Promise((resolve) => void process.on("close", resolve));
  }

  get output(): string {
    return this.#output;
  }

  /** Waits for a text after all that was waited for before. */
  async hear(text: string): Promise<void> {
    for (let tries = 0; ; tries++) {
      const at = this.#output.indexOf(text, this.#heard);
      if (at >= 0) {
        this.#heard = at + text.length;
        return;
      }
      if (tries === 600) throw new Error(`in vain waited for ${JSON.stringify(text)} in\n${this.#output}`);
      await delay(50);
    }
  }

  say(text: string): void {
    this.process.stdin?.write(text);
  }
}

async function talking(command: readonly string[], action: (talk: Talk) => Promise<void>): Promise<void> {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { env: { ...env, TERM: "xterm" }, stdio: "pipe" });
  const talk = new Talk(child);
  try {
    await action(talk);
  } finally {
    child.kill("SIGKILL");
    await talk.exitCode;
  }
}

const onPipe = [process.execPath, program, "shell"];
/** script(1) gives it a terminal of its own. */
const onTerminal = ["script", "-qec", `${process.execPath} ${program} shell`, "/dev/null"];

test("a pipe of commands: results on stdout, errors on stderr, and nothing else", () => {
  const { stdout, stderr, status } = run("# nothing\n\n--version\nlst\r\nbuffers # none\n  p2pdma --version");
  const { version } = JSON.parse(readFileSync(join(program, "..", "..", "package.json"), "utf8"));
  assert.is(stdout, `${version}\nno buffers are held\n${version}\n`);
  assert.match(stderr, /^p2pdma: unknown command 'lst'\n\(Did you mean list\?\)\n[^\n]*\n$/);
  assert.is(status, 2);
});

test("an empty script is a success", () => {
  assert.equal({ ...run(""), pid: 0 }, { ...run("exit\n"), pid: 0 });
  assert.is(run("").status, 0);
});

test("the exit code is that of the first command that failed, however the command gave it", () => {
  const doctor = spawnSync(process.execPath, [program, "doctor"], { encoding: "utf8", env });
  assert.ok(doctor.status, "this machine can do no peer-to-peer");
  assert.is(run("doctor\nlst\nlist\n").status, doctor.status);
  assert.is(run("dump x\nalloc none 1M\nlist\n").status, 1);
  assert.is(run("alloc none 1M\ndump x\n").status, 3);
  assert.is(run("list\nhelp\ncopy --help\nexit\nlst\n").status, 0);
});

test("--stop-on-error ends with the first failure, a line that can't be read included", () => {
  const { stdout, status } = run("buffers\ndump x\nbuffers\n", "--stop-on-error");
  assert.is(stdout, "no buffers are held\n");
  assert.is(status, 1);
  assert.is(run("dump 'x\nbuffers\n", "--stop-on-error").stdout, "");
});

test("a script from a file, with its lines echoed", () => {
  const script = join(folder, "script.p2p");
  writeFileSync(
    script,
    `#!/usr/bin/env -S p2pdma shell\ncopy -q --no-journal ${source} '${folder}/a copy' # quoted\n`,
  );
  const { stdout, stderr, status } = run("lst\n", "--echo", script);
  assert.is(status, 0, stderr);
  assert.is(stdout.split("\n").length, 3);
  assert.match(stdout, `p2pdma> copy -q --no-journal ${source} '${folder}/a copy' # quoted\n`);
  assert.ok(readFileSync(join(folder, "a copy")).equals(readFileSync(source)));
  const missing = run("", join(folder, "missing"));
  assert.is(missing.status, 1);
  assert.match(missing.stderr, /^p2pdma: open ".*missing": ENOENT/);
  assert.match(run("", folder).stderr, /^p2pdma: read ".*": EISDIR [^\n]*\n$/);
});

test("commands without a name of cliffy's or JavaScript's own kind are unknown, and told so once", () => {
  for (const line of ["constructor", "toString", "__proto__", "@x", "-- x"]) {
    const { stdout, stderr, status } = run(`${line}\n`);
    assert.is(stdout, "", line);
    assert.is(stderr.match(/^p2pdma: /gm)?.length, 1, `${line}: ${stderr}`);
    assert.is(status, 2, line);
  }
});

test("a shell in the shell is refused", () => {
  const { stderr, status } = run("shell\n");
  assert.match(stderr, /^p2pdma: This is a p2pdma shell already/);
  assert.is(status, 2);
});

test("a program can wait for each answer before it asks on", () =>
  talking(onPipe, async (talk) => {
    for (const length of [5, 6]) {
      talk.say(`copy --json --no-journal --length ${length} ${source} ${folder}/part\n`);
      await talk.hear(`"lengthBytes": "${length}"`);
    }
    talk.process.stdin?.end();
    assert.is(await talk.exitCode, 0);
  }));

for (const [signal, code] of [
  ["SIGTERM", 143],
  ["SIGHUP", 143],
  ["SIGINT", 130],
] as const) {
  test(`${signal} while nothing runs ends a script with ${code}`, () =>
    talking(onPipe, async (talk) => {
      talk.say("buffers\n");
      await talk.hear("no buffers");
      talk.process.kill(signal);
      assert.is(await talk.exitCode, code);
    }));
}

test("SIGINT in a copy of a script drains it into its journal, and the script ends", () =>
  talking(onPipe, async (talk) => {
    const journal = join(folder, "script.journal");
    talk.say(`copy --rate 1M --checkpoint 100ms --journal ${journal} ${source} ${folder}/slow\nbuffers\n`);
    await untilThere(journal);
    await delay(300);
    talk.process.kill("SIGINT");
    assert.is(await talk.exitCode, 130);
    assert.match(talk.output, /Interrupted: .*\nhint: p2pdma resume .* goes on from there\n$/);
    assert.is(JSON.parse(readFileSync(journal, "utf8")).state, "stopped");
  }));

test("at a terminal: prompt, completion, Ctrl-C, history", () =>
  talking(onTerminal, async (talk) => {
    await talk.hear("help lists the commands");
    await talk.hear("p2pdma> ");
    talk.say("buf\t");
    await talk.hear("buffers ");
    talk.say("\r");
    await talk.hear("no buffers are held");
    await talk.hear("p2pdma> ");
    talk.say("copy --no-jo\t");
    await talk.hear("--no-journal ");
    talk.say(`${folder}/sou\t`);
    await talk.hear(`${source} `);
    talk.say("\x03");
    await talk.hear("^C");
    await talk.hear("p2pdma> ");
    const journal = join(folder, "terminal.journal");
    talk.say(`copy --rate 1M --journal ${journal} ${source} ${folder}/by-hand\r`);
    await untilThere(journal);
    await delay(300);
    talk.say("\x03");
    await talk.hear("SIGINT: finishing what is in flight");
    await talk.hear("goes on from there");
    await talk.hear("p2pdma> ");
    talk.say(`resume -q ${journal}\r`);
    await talk.hear("p2pdma> ");
    talk.say("\x1b[A");
    await talk.hear(`resume -q ${journal}`);
    talk.say("\x03");
    await talk.hear("p2pdma> ");
    talk.say(`copy --rate 1M --no-journal ${source} ${folder}/pasted\rlst-pasted\rlst-pas`);
    await untilThere(join(folder, "pasted"));
    await delay(300);
    talk.say("\x03");
    await talk.hear("Interrupted");
    await talk.hear("p2pdma> ");
    talk.say("--version\rlst\rexit\r");
    await talk.hear("unknown command 'lst'");
    assert.not.match(talk.output, "unknown command 'lst-pas", "what was pasted behind it is dropped");
    assert.is(await talk.exitCode, 130, "the first failure was the copy that was stopped");
    assert.ok(readFileSync(`${folder}/by-hand`).equals(readFileSync(source)));
  }));

test("history is the user's own, goes on in the next session, and scripts leave none", async () => {
  const history = join(folder, "state", "p2pdma", "shell-history");
  assert.is(statSync(history).mode & 0o777, 0o600);
  const lines = readFileSync(history, "utf8").split("\n");
  assert.is(lines[0], "buffers");
  assert.equal(lines.slice(-4), ["--version", "lst", "exit", ""]);
  await talking(onTerminal, async (talk) => {
    await talk.hear("p2pdma> ");
    talk.say("\x1b[A\x1b[A");
    await talk.hear("lst");
    talk.say("\x15\x04");
    assert.is(await talk.exitCode, 0);
  });
  run("buffers\n");
  assert.equal(readFileSync(history, "utf8").split("\n"), lines);
});

async function untilThere(path: string): Promise<void> {
  for (let tries = 0; !existsSync(path); tries++) {
    if (tries === 400) throw new Error(`in vain waited for ${path}`);
    await delay(50);
  }
}

test.run();
