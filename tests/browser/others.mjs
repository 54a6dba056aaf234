// What is somebody else's: an instance of another user.

import { strict as assert } from "node:assert";
import { given, open, shot, url } from "./browser.mjs";

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
