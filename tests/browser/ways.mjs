// Ways back and ways through: where a drawer leads when it is closed, what was at a moment, and what stays when
// something is saved.

import { strict as assert } from "node:assert";
import { given, go, open, shot, url } from "./browser.mjs";

/** In both themes, on a desk and on a phone. */
async function look(page, name, shown) {
  for (const [colorScheme, width, height] of [
    ["light", 360, 740],
    ["dark", 360, 740],
    ["dark", 1440, 900],
    ["light", 1440, 900],
  ]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height });
    await shown?.scrollIntoViewIfNeeded();
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(over <= 0, `${name} at ${width} scrolls sideways by ${over}`);
    await shot(page, `${name}-${colorScheme}-${width}`);
  }
}

/** Looks at each of them. */
export async function ways() {
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "light" }, url);
  await page.locator(".instances .row", { hasText: "one" }).first().waitFor();
  await rule(page);
  await back(page);
  await moment(page);
  await severalRanges(page);
  await faultAtItsLine(page);
}

/** A range that was made says by what. */
async function rule(page) {
  await go(page, "#/a/Ranges");
  const row = page.locator(".audit .row", { hasText: "range.create" }).first();
  await row.click();
  await page.locator(".audit dt:has-text('Rule') + dd", { hasText: "rule 'graf*', after" }).waitFor();
  // What is around a range is told as it was then, and the undo says what else it would take.
  const opened = (action) =>
    page.locator(".entry", { has: page.locator(".action", { hasText: action }) }).locator(".opened");
  const made = opened("range.create");
  await made.locator("h3", { hasText: "Ranges before and after" }).waitFor();
  await made.locator(".plus", { hasText: /^\+ grafana +\d+–\d+ +2 ports$/ }).waitFor();
  assert.match(await made.locator("dd").last().textContent(), /undo-auto grafana takes \d+–\d+ back, too/);
  await page.locator(".audit .row", { hasText: "range.grow" }).click();
  await opened("range.grow").locator("dd", { hasText: "styxy config undo-auto --last" }).waitFor();
  await look(page, "audit-rule");
  console.log("a rule");
}

/** A drawer is closed to the page that it was opened over, as that was. */
async function back(page) {
  const hash = () => page.evaluate(() => location.hash);
  const openDrawer = async () => {
    await page.keyboard.press("j");
    await page.locator(".drawer-head").waitFor();
    assert.match(await hash(), /^#\/i\//);
  };
  for (const [address, heading] of [
    ["#/a/Leases?type=web&since=1d", "Audit"],
    ["#/t/web", "Types"],
    ["#/?span=50", null],
  ]) {
    await go(page, address);
    if (heading) await page.locator("h1", { hasText: heading }).waitFor();
    await page.evaluate(() => document.activeElement.blur());
    for (const close of [
      () => page.keyboard.press("Escape"),
      () => page.getByRole("button", { name: "Close Esc" }).click(),
      () => page.goBack(),
    ]) {
      await openDrawer();
      await close();
      await page.locator(".drawer-head").waitFor({ state: "detached" });
      assert.equal(await hash(), address);
      if (heading) assert.ok(await page.locator("h1", { hasText: heading }).isVisible());
    }
  }
  // What is filtered beside the drawer is in the address when it is closed.
  await go(page, "#/a");
  await openDrawer();
  await page.getByLabel("Type", { exact: true }).selectOption("web");
  assert.match(await hash(), /^#\/i\/[^?]+$/);
  await page.getByRole("button", { name: "Close Esc" }).click();
  assert.equal(await hash(), "#/a?type=web");
  console.log("ways back");
}

/** Range use follows the cursor of the other charts into the past. */
async function moment(page) {
  await go(page, "#/m/15%20min");
  const box = page.locator(".chart-box", { has: page.locator("h2", { hasText: "Range use" }) });
  await box.locator(".tick", { hasText: /^3 of 4$/ }).waitFor({ state: "attached" });
  const leases = await page.locator("svg.chart").first().boundingBox();
  await page.mouse.move(leases.x + 5, leases.y + 40);
  // Nobody had anything then, and no range was made.
  await box.locator("p", { hasText: /^0 types in use at \d\d:\d\d$/ }).waitFor();
  assert.equal(await box.locator(".tick", { hasText: "grafana" }).count(), 0);
  assert.match(await box.locator(".figure").textContent(), /^0 %/);
  await shot(page, "metrics-past-light-1440");
  await page.mouse.move(5, 5);
  await box.locator(".tick", { hasText: /^3 of 4$/ }).waitFor({ state: "attached" });
  console.log("a moment");
}

/** All ranges of a type are shown; what is saved drops none of them. */
async function severalRanges(page) {
  const [first, second] = JSON.parse(given);
  const words = ([from, to]) => `${from}–${to}`;
  await go(page, "#/t/grafana");
  const choice = page.getByRole("group", { name: "Which range is edited" });
  await choice.getByRole("button", { name: words(second) }).click();
  await page.locator(".axis-editor .own-other").waitFor({ state: "attached" });
  assert.equal(await page.locator("#type-first").inputValue(), String(second[0]));
  assert.equal(await choice.locator('[aria-pressed="true"]').textContent(), words(second));
  const said = (text) => page.locator(".verdict", { hasText: text }).waitFor();
  await said("Both ranges stay as they are.");
  await look(page, "type-several", page.locator(".editor"));
  // Another range would leave the first one out, unless it covers it.
  await page.locator("#type-last").fill(String(second[1] + 5));
  await said(`${words(first)} would be lost`);
  assert.ok(await page.getByRole("button", { name: "Review changes" }).isDisabled());
  await page.locator("#type-first").fill(String(first[0]));
  await said("Fits.");
  await page.locator("#type-first").fill(String(second[0]));
  await page.locator("#type-last").fill(String(second[1]));
  await page.getByLabel("Description").fill("Pictures");
  await page.getByRole("button", { name: "Review changes" }).click();
  assert.doesNotMatch(await page.locator(".review").textContent(), /range/);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator("tr[aria-current] .badge.config", { hasText: "your config" }).waitFor();
  const shown = () => page.locator("tr[aria-current] td.num").first().textContent();
  assert.equal(await shown(), `${words(first)}, ${words(second)}`);
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await page.locator("tr[aria-current] .badge", { hasText: "automatic" }).waitFor();
  assert.equal(await shown(), `${words(first)}, ${words(second)}`);
  console.log("several ranges");
}

/** What is wrong with a line stands under it, or above it for who writes below; a value is mended, too. */
async function faultAtItsLine(page) {
  await go(page, "#/c/user");
  const text = page.getByLabel("Text of the file");
  const before = await text.inputValue();
  const lines = before.trimEnd().split("\n").length;
  await text.fill(`${before.trimEnd()}\n[service_types.shop]\ninstance_behavior = "singel"\n`);
  const said = page.locator(".said.bad.at-line", { hasText: "singel" });
  await said.waitFor();
  const boxOf = (locator) => locator.boundingBox();
  const wrong = await boxOf(page.locator(".code-line.wrong"));
  assert.equal(await page.locator(".code-line.wrong .number").textContent(), String(lines + 2));
  // Who writes behind it is in the last line, which would be covered.
  const above = await boxOf(said);
  assert.ok(Math.abs(above.y + above.height - wrong.y) < 2, "it stands above its line");
  await text.press("ArrowUp");
  await page.locator(".said.at-line:not(.above)").waitFor();
  const below = await boxOf(said);
  assert.ok(Math.abs(below.y - wrong.y - wrong.height) < 2, "it stands under its line");
  await look(page, "config-fault", said);
  await page.getByRole("button", { name: "Use it" }).click();
  assert.match(await text.inputValue(), /instance_behavior = "single"/);
  await page.locator(".said:not(.at-line)", { hasText: "It makes sense." }).waitFor();
  await page.getByRole("button", { name: "Discard changes" }).click();
  console.log("a fault at its line");
}
