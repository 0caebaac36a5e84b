import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const names = (text) => (text.match(/\{\w+\}|%\(\w+\)s/g) ?? []).sort();

for (const folder of ["chat", "vlsite"]) {
  const catalog = read(`${folder}/locale/zh_Hans/LC_MESSAGES/django.po`);
  const entries = [...catalog.matchAll(/^msgid "(.+)"\nmsgstr "(.*)"$/gm)];

  test(`every text of ${folder} is translated, with the same names in it`, () => {
    assert.ok(entries.length > 20);
    assert.doesNotMatch(catalog, /^#, fuzzy/m);
    for (const [, english, chinese] of entries) {
      assert.notEqual(chinese, "", english);
      assert.deepEqual(names(chinese), names(english), english);
    }
  });
}

test("the texts of the scripts and of the errors are in the catalogue", () => {
  const catalog = read("chat/locale/zh_Hans/LC_MESSAGES/django.po");
  for (const module of ["chat/views/page_texts.py", "chat/errors.py"]) {
    for (const [, text] of read(module).matchAll(/_\(\s*"((?:[^"\\]|\\.)*)"\s*\)/g)) {
      assert.ok(catalog.includes(`msgid "${text}"`), `makemessages has not seen: ${text}`);
    }
  }
});
