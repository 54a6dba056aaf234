// What the design of the page promises, and what is easily broken: ways by key, words, times, and what is kept in the address.

import { strict as assert } from "node:assert";
import { faults, given, go, open, shot, url } from "./browser.mjs";

/** Looks at each promise. At its end the server is gone. */
export async function design() {
  const { server } = JSON.parse(given);
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "light" }, url);
  await page.locator(".instances .row", { hasText: "alone" }).waitFor();
  await words(page);
  await waysByKey(page);
  await questions(page);
  await addresses(page);
  await table(page);
  await log(page);
  await blind(page, server);
}

const hash = (page) => page.evaluate(() => location.hash);
const focused = (page) => page.evaluate(() => document.activeElement.textContent);

async function words(page) {
  const text = (name) => page.locator(".instances .row", { hasText: name }).innerText();
  assert.match(await text("alone"), /alone\s+single\s/);
  // Since when it is so was not seen.
  assert.match(await text("ill"), /Its health check has failed\n/);
  // The kernel's own ports are there; the map's lines are no higher than the window has room for.
  await page.locator(".water .waves").waitFor({ state: "attached" });
  const [below, line] = await page.evaluate(() => [
    document.querySelector(".ports").getBoundingClientRect().bottom - innerHeight,
    document.querySelector(".lines .line").clientHeight,
  ]);
  assert.ok(below <= 1 || line <= 21, `${below} px below the window, lines of ${line} px`);
  const over = await page.evaluate(() =>
    [...document.querySelectorAll(".water-line")].flatMap((line) => {
      const boxes = [...line.querySelectorAll(".label")].map((label) => label.getBoundingClientRect());
      return boxes.slice(1).filter((box, at) => box.left < boxes[at].right);
    }),
  );
  assert.equal(over.length, 0, "names lie over names");
  assert.equal(await page.locator(".label", { hasText: /several.*several/ }).count(), 0);
  console.log("words");
}

async function waysByKey(page) {
  await page.keyboard.press("Tab");
  assert.equal(await focused(page), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  assert.equal(await hash(page), "#/");
  // Closer than the closest are the berths of the range where the keys are.
  await page.locator(".lines").focus();
  await page.keyboard.press("Home");
  for (let step = 0; step < 3; step++) await page.keyboard.press("+");
  await page.waitForFunction(() => location.hash.startsWith("#/r/dev"));
  await page.locator(".water .chosen-light").first().waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Copy styxy run -t dev -p 3050 --" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("0");
  console.log("ways by key");
}

/** Esc is the answer that changes nothing, and the focus is on that one. */
async function questions(page) {
  await go(page, "#/t/web");
  const ask = async (name, safe, box) => {
    await page.getByRole("button", { name, exact: true }).click();
    assert.equal(await focused(page), safe);
    await page.keyboard.press("Escape");
    await page.locator(box).waitFor({ state: "hidden" });
    assert.equal(await focused(page), name);
  };
  await ask("Undo automatic…", "Keep them", ".page > .question");
  await ask("Remove…", "Keep it", ".review");
  await ask("Review changes", "Not yet", ".review");
  await page.locator("tr[aria-current] .badge.config", { hasText: "your config" }).waitFor();
  await page.locator(".axis-editor .gap").first().waitFor({ state: "attached" });
  console.log("questions");
}

async function addresses(page) {
  await go(page, "#/a");
  const type = page.getByLabel("Type", { exact: true });
  await type.locator("option", { hasText: "solo" }).waitFor({ state: "attached" });
  await type.selectOption("solo");
  await page.getByLabel("Since when").selectOption("1d");
  await page.getByRole("link", { name: "Leases" }).click();
  await page.waitForFunction(() => location.hash === "#/a/Leases?type=solo&since=1d");
  await page.locator(".audit .row", { hasText: "alone" }).waitFor();
  assert.equal(await page.locator(".audit .rows .row", { hasText: "web/" }).count(), 0);
  assert.equal(await page.locator(".audit .row > :not([role])").count(), 0, "cells without a role");
  console.log("addresses");
}

async function table(page) {
  await go(page, "#/table");
  await page.locator("tbody tr", { hasText: /alone.*ready for \d+ (second|minute)/ }).waitFor();
  await page.locator("tbody tr", { hasText: /free$/ }).first().waitFor();
  console.log("a table");
}

/** A colour out of 256 is none of the page's; bold keeps the one before it. */
async function log(page) {
  await go(page, "#/");
  await page.locator(".instances .row-name", { hasText: "alone" }).click();
  const line = page.locator(".log-line", { hasText: "plain" });
  await line.waitFor();
  assert.deepEqual(await line.locator(".tone-unhealthy").allTextContents(), ["red"]);
  await page.getByRole("button", { name: "Restart" }).click();
  await page.locator(".question", { hasText: /^Restarting solo\/alone\S* on the same port\.$/ }).waitFor();
  await page.locator(".question").waitFor({ state: "hidden" });
  console.log("a log");
}

/** Who hears nothing does nothing: neither by pointer nor by key. */
async function blind(page, server) {
  process.kill(server, "SIGTERM");
  await page.locator(".lost", { hasText: "Lost the connection" }).waitFor();
  await page.getByRole("button", { name: "Stop…" }).focus();
  await page.keyboard.press("Enter");
  assert.ok(await page.locator(".question").isHidden());
  await shot(page, "blind-light-1440");
  faults.splice(
    0,
    faults.length,
    ...faults.filter((fault) => !/ERR_(CONNECTION|INCOMPLETE|EMPTY)/.test(fault)),
  );
  console.log("blind");
}
