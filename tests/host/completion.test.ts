// SPDX-License-Identifier: MIT
// The scripts in the shells they are for. What a key press would do is asked of the shell itself.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const bin = join(import.meta.dirname, "..", "..", "dist", "bin");
const folder = mkdtempSync(join(tmpdir(), "p2pdma-completion-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const journals = join(folder, "state", "p2pdma", "journals");
mkdirSync(journals, { recursive: true });
writeFileSync(join(journals, "a--b-0123.journal"), "");
writeFileSync(join(folder, "plan one.yaml"), "");
mkdirSync(join(folder, "shelf"));
writeFileSync(join(folder, "shelf", "x.yaml"), "");

const env = {
  ...process.env,
  PATH: `${bin}:${process.env.PATH}`,
  XDG_STATE_HOME: join(folder, "state"),
  HOME: folder,
  TERM: "xterm",
};

const MARK = "-----";
const LAB = "p2pdma lab run -- p2pdma";

/** Ask the shell for what it would insert at the end of each line of $TYPED: the words, then the mark. */
const drivers: Readonly<Record<string, string[]>> = {
  bash: [
    ...["bash", "--norc", "-c"],
    // Readline splits a line at blanks and at = and :, each run of which is a word.
    `source <(p2pdma completion bash)
compopt() { true; }
while IFS= read -r COMP_LINE; do
	COMP_POINT=\${#COMP_LINE}
	mapfile -t COMP_WORDS < <(grep -oE '[=:]+|[^ =:]+' <<< "$COMP_LINE")
	[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=("")
	COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMPREPLY=()
	_p2pdma p2pdma
	printf '%s\\n' "\${COMPREPLY[@]}" ${MARK}
done <<< "$TYPED"`,
  ],
  zsh: [
    ...["zsh", "-f", "-c"],
    // A second zsh at a terminal of its own. All completion ends in compadd, so that is where we listen.
    `zmodload zsh/zpty
zpty -b shell zsh -f -i
send() { zpty -w shell "$1"; }
send 'PROMPT=; autoload -U compinit; compinit -D -u; source <(p2pdma completion zsh); LISTMAX=0; setopt no_auto_menu'
send 'compadd() { [[ " $* " == *" -"[OAD]" "* ]] && { builtin compadd "$@"; return }; local -a got; builtin compadd -O got "$@"; print -rl -- $^got >> $OUT; builtin compadd "$@" }'
send 'bindkey "^I" complete-word; bindkey "^U" kill-whole-line'; send "echo rea''dy"
zpty -r -m shell out '*ready*'
while IFS= read -r line; do
	: > $OUT
	zpty -w -n shell "$line"$'\\t\\x15'
	zpty -w shell "echo do''ne"
	zpty -r -m shell out '*done*'
	sort -u $OUT
	print -r -- ${MARK}
done <<< "$TYPED"`,
  ],
  fish: [
    ...["fish", "--no-config", "-c"],
    `p2pdma completion fish | source
for line in (string split \\n -- $TYPED)
	complete -C "$line" | string replace -r '\\t.*' ''
	echo ${MARK}
end`,
  ],
};

const JOURNAL = join(journals, "a--b-0123.journal");

/** What is typed, and what must be among the words that are offered: whole, or from the last = or : on. */
const cases: readonly { name: string; line: string; offers: RegExp }[] = [
  { name: "subcommands", line: "p2pdma mig", offers: /^migrate$/ },
  { name: "nested subcommands", line: "p2pdma cmb sh", offers: /^show$/ },
  { name: "options", line: "p2pdma copy --expl", offers: /^--explain$/ },
  { name: "values of options", line: "p2pdma copy --via ", offers: /^nvme-copy$/ },
  { name: "values behind =", line: "p2pdma copy --verify=", offers: /^(--verify=)?inline$/ },
  { name: "topologies", line: "p2pdma lab run --topology two-", offers: /^two-switches-zen$/ },
  { name: "names with colons", line: `${LAB} copy serial:P2PLAB-`, offers: /^(serial:)?P2PLAB-B$/ },
  {
    name: "names with colons behind =",
    line: `${LAB} copy --allow-write=serial:P2PLAB-`,
    offers: /^(--allow-write=)?(serial:)?P2PLAB-B$/,
  },
  { name: "lists with commas", line: "p2pdma copy --overwrite mounted,fi", offers: /^mounted,filesystem$/ },
  { name: "journals", line: `p2pdma resume ${join(journals, "a")}`, offers: new RegExp(`^${JOURNAL}$`) },
  { name: "files in folders", line: "p2pdma migrate shelf/", offers: /x\.yaml$/ },
  { name: "files with blanks", line: "p2pdma migrate pl", offers: /^plan.*one\.yaml$/ },
  { name: "files behind =", line: "p2pdma topo --from=shelf/x", offers: /x\.yaml$/ },
];

/** Completion must not run what stands on the line. */
const traps = [
  "p2pdma copy $(touch$IFS./run-me) ",
  "p2pdma copy `touch$IFS./run-me` ",
  "p2pdma copy ;touch run-me; ",
];

for (const [shell, command] of Object.entries(drivers)) {
  if (spawnSync(shell, ["-c", "true"]).status !== 0) {
    console.log(`# skip: completion in ${shell}: it is not installed`);
    for (const { name } of cases) test.skip(`${shell}: ${name}`, () => {});
    continue;
  }
  rmSync(join(folder, "run-me"), { force: true });
  const offered = ask(command, [...cases.map(({ line }) => line), ...traps]);
  const wasRun = existsSync(join(folder, "run-me"));
  cases.forEach(({ name, line, offers }, index) => {
    test(`${shell}: ${name}`, () => {
      const words = offered[index] ?? [];
      assert.ok(
        words.some((word) => offers.test(word.trim())),
        `"${line}" offered: ${words.join(" | ")}`,
      );
    });
  });

  test(`${shell}: what is on the line is never run`, () => {
    assert.not.ok(wasRun);
  });

  test(`${shell}: a line that makes no sense offers nothing and says nothing`, () => {
    assert.is(offered.length, cases.length + traps.length);
  });

  test(`${shell}: the script has no syntax error`, () => {
    const file = join(folder, `script.${shell}`);
    writeFileSync(file, spawnSync("p2pdma", ["completion", shell], { env }).stdout);
    const { status, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
    assert.equal({ status, stderr }, { status: 0, stderr: "" });
  });
}

test("a shell that is none of the three is refused, and they are named", () => {
  const { status, stderr } = spawnSync("p2pdma", ["completion", "tcsh"], { env, encoding: "utf8" });
  assert.is(status, 2);
  assert.match(stderr, /"tcsh"[\s\S]*bash, zsh, fish/);
});

function ask([program = "", ...args]: string[], lines: readonly string[]): string[][] {
  const out = join(folder, "out");
  const result = spawnSync(program, args, {
    encoding: "utf8",
    cwd: folder,
    timeout: 120_000,
    env: { ...env, TYPED: lines.join("\n"), OUT: out },
  });
  assert.is(result.stderr, "");
  return result.stdout
    .split(`${MARK}\n`)
    .slice(0, -1)
    .map((part) => part.split("\n").filter(Boolean));
}

test.run();
