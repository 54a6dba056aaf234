// What is somebody else's: an instance of another user, and the state lock while another process holds it.

import { strict as assert } from "node:assert";
import { heard } from "./accessibility.mjs";
import { faults, given, open, pointAt, shot, url } from "./browser.mjs";

/** Looks at both themes, on a desk and on a phone. */
async function look(page, name, shown) {
  for (const [colorScheme, width, height] of [
    ["dark", 1440, 900],
    ["light", 1440, 900],
    ["dark", 360, 740],
    ["light", 360, 740],
  ]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height });
    await shown?.scrollIntoViewIfNeeded();
    await shot(page, `${name}-${colorScheme}-${width}`);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

/** Whose an instance is stands behind its name, and who may not stop it isn't offered to. */
export async function foreign() {
  const owner = given;
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" }, url);
  const row = (name) =>
    page.locator(".instances .row", { has: page.locator(".row-name", { hasText: name }) });
  await row("web/anna").locator(".name-cell > .dim", { hasText: owner }).waitFor();
  assert.equal(await row("web/bert").locator(".name-cell > .dim").count(), 0);
  await look(page, "foreign-list", row("web/anna"));
  await onTheMap(page, owner);
  const buttons = async (name) => {
    await row(name).locator(".row-name").click();
    await page.locator(".drawer-head h2", { hasText: name }).waitFor();
    const texts = await page.locator(".drawer-head .buttons > *").allTextContents();
    return texts.map((text) => text.trim().split(" ")[0]);
  };
  assert.deepEqual(await buttons("web/anna"), ["Open", "Copy"]);
  const said = `Belongs to ${owner}; only ${owner} can stop it.`;
  await page.locator(".drawer-head", { hasText: said }).waitFor();
  await look(page, "foreign-drawer");
  await page.keyboard.press("Escape");
  assert.deepEqual(await buttons("web/bert"), ["Open", "Restart", "Stop…", "Copy"]);
  assert.equal(await page.locator(".drawer-head", { hasText: "Belongs to" }).count(), 0);
  console.log("whose it is");
}

/** The map says it, too: to who hears it, and in the card beside the pointer. */
async function onTheMap(page, owner) {
  const grid = page.locator(".lines");
  const wanted = new RegExp(`gridcell "\\d+, web/anna\\S*, ready, belongs to ${owner}"`);
  const rows = await heard(grid, wanted);
  assert.match(rows, /gridcell "\d+, web\/bert\S*, ready"/);
  const cell = page.locator(`.lines [role=gridcell][aria-label*="web/anna"]`);
  const tip = page.locator(".tip.card", { hasText: "web/anna" });
  await pointAt(page, cell, tip.locator(".dim", { hasText: owner }).first());
  await look(page, "foreign-tip", cell);
}

/** While an operation waits for the state lock, the page names who holds it. */
export async function locked() {
  const pid = Number(given);
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" }, url);
  await page.locator(".instances .row .row-name", { hasText: "web/a" }).click();
  assert.equal(await page.locator(".locked").isVisible(), false);
  // Kept as it is said: a busy machine may be slow to look.
  await page.evaluate(() => {
    const notice = document.querySelector(".locked");
    window.said = [];
    new MutationObserver(() => notice.hidden || window.said.push(notice.textContent)).observe(notice, {
      attributes: true,
      childList: true,
      subtree: true,
    });
  });
  await page.getByRole("button", { name: "Stop…" }).click();
  await page.getByRole("button", { name: "Stop it" }).click();
  await page.waitForFunction(() => window.said.length > 0);
  await look(page, "locked");
  const [first] = await page.evaluate(() => window.said);
  const expected = `^The state is locked by pid ${pid} \\(sleep 1000\\) for \\d+ s\\. Waiting up to 10 s\\.$`;
  assert.match(first, new RegExp(expected));
  process.kill(pid);
  await page.locator(".locked").waitFor({ state: "hidden" });
  // Who has waited in vain is told so with an error, which the browser's console repeats.
  faults.splice(0, faults.length, ...faults.filter((fault) => !/status of 503/.test(fault)));
  console.log("who holds the lock");
}
