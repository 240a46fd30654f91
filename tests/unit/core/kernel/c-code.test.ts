// SPDX-License-Identifier: MIT
import { test } from "uvu";
import * as assert from "uvu/assert";
import { codeOf, findFunction, findInitialiser } from "../../../../core/kernel/c-code.ts";

const source = `
int wanted(struct device *dev); /* wanted(int) { */
// int wanted(void) { return 1; }
static const char *text = "/* no comment";	int after;
static int caller(void)
{
	return wanted(NULL);
}

static __always_inline struct page *
wanted(struct device *dev,
       unsigned int flags)
	__must_hold(&dev->lock)
{
#ifdef CONFIG_A
	if (a) {
#else
	if (b) {
#endif
		call(FLAG);
	}
	return 0;
}

static inline int short_one(void) { return 5; }
static inline int other(void)
{
	return 7;
}
#if 0
int disabled(void)
{
}
#else
int enabled(void)
{
}
#endif
static const struct file_operations fops = {
	.open	= my_open,
};
static const struct entry list[] = {
	{1, 2},
	{},
};
`;
const code = codeOf(source);

test("codeOf() takes out comments, leaves strings alone and keeps the lines", () => {
  assert.is(code.split("\n").length, source.split("\n").length);
  assert.not.match(code, /wanted\(int\)/);
  assert.not.match(code, /wanted\(void\)/);
  assert.match(code, /"\/\* no comment";\tint after;/);
});

test("codeOf() takes out what stands below #if 0, and not what stands below its #else", () => {
  assert.is(findFunction(code, "disabled"), undefined);
  assert.ok(findFunction(code, "enabled"));
});

test("codeOf() knows nested conditionals and those that are no plain 0", () => {
  const nested = codeOf(
    "#if 0\n#ifdef X\nint a(void)\n{\n}\n#endif\nint b(void)\n{\n}\n#endif\nint c(void)\n{\n}\n",
  );
  assert.equal(
    ["a", "b", "c"].map((name) => Boolean(findFunction(nested, name))),
    [false, false, true],
  );
  assert.ok(findFunction(codeOf("#if 0 || defined(X)\nint a(void)\n{\n}\n#endif\n"), "a"));
});

test("findFunction() finds the definition, not prototypes and calls", () => {
  const found = findFunction(code, "wanted");
  assert.is(found?.line, source.slice(0, source.indexOf("wanted(struct device *dev,")).split("\n").length);
  assert.match(found?.parameters ?? "", /unsigned int flags/);
  assert.match(found?.body ?? "", /call\(FLAG\)/);
  assert.match(found?.body ?? "", /return 0;/);
  assert.is(findFunction("int f(void);\nint g(void)\n{\n\tf();\n}\n", "f"), undefined);
});

test("findFunction() ends a function where it ends", () => {
  assert.not.match(findFunction(code, "wanted")?.body ?? "", /return 5/);
  assert.match(findFunction(code, "short_one")?.body ?? "", /return 5/);
  assert.not.match(findFunction(code, "short_one")?.body ?? "", /return 7/);
});

test("findFunction() does not take part of a name for the name", () => {
  assert.is(findFunction(code, "short"), undefined);
  assert.is(findFunction(code, "one"), undefined);
});

test("findInitialiser() finds what stands between the braces", () => {
  assert.match(findInitialiser(code, "fops")?.body ?? "", /\.open/);
  assert.match(findInitialiser(code, "list")?.body ?? "", /\{1, 2\}/);
  assert.is(findInitialiser(code, "ops"), undefined);
});

test.run();
