// The audit page while things happen: an opened row stays open, news slides in once, and today begins where one is.

import { strict as assert } from "node:assert";
import { anotherAddress, enter, given, go, open, shot, url } from "./browser.mjs";

const TOKEN = given;

/** Has things happen, and looks. */
export async function audit() {
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" }, url);
  await countSlides(page);
  await go(page, "#/a");
  await rowOf(page, "today").waitFor();
  await page.locator(".audit .what", { hasText: /^Gave \d+ back; ended with 1$/ }).waitFor();
  await staysOpen(page);
  await slidesOnce(page);
  await waits(page);
  await page.context().close();
  await today();
}

const rowOf = (page, name) =>
  page.locator(".audit .entry", { has: page.locator(".row-name b", { hasText: name }) });
const names = (page) =>
  page.locator(".audit .rows .row-name b").evaluateAll((all) => all.map((one) => one.textContent));

/** Something happens, by the server's other door. */
async function allocate(type, name, status = 200) {
  const headers = { "x-api-key": TOKEN, "content-type": "application/json" };
  const body = JSON.stringify({ service_type: type, service_name: name });
  const answer = await fetch(new URL("/allocate", url), { method: "POST", headers, body });
  assert.equal(answer.status, status);
}

/** Which rows have slid in, and which are done with it. */
const countSlides = (page) =>
  page.evaluate(() => {
    window.slides = { animationstart: [], animationend: [] };
    for (const [name, seen] of Object.entries(window.slides))
      addEventListener(name, (event) => {
        if (event.animationName === "slide-in")
          seen.push(event.target.querySelector(".row-name b").textContent);
      });
  });
const slid = (page, name) =>
  page.waitForFunction((name) => window.slides.animationend.some((one) => one.startsWith(name)), name);
/** All that have begun to slide, once whatever is drawn would have. */
const slides = (page) =>
  page.evaluate(
    () =>
      new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(() => done(window.slides.animationstart))),
      ),
  );

async function staysOpen(page) {
  const row = rowOf(page, "today");
  await row.locator(".row").click();
  await row.locator(".opened .facts").waitFor();
  await page.evaluate(() => {
    window.openedBefore = document.querySelector(".opened:not([hidden])");
  });
  for (const name of ["first", "second"]) {
    await allocate("web", name);
    await rowOf(page, name).waitFor();
    assert.ok(await row.locator(".opened").isVisible(), `it was closed by ${name}`);
  }
  assert.equal(await row.locator(".row-name").getAttribute("aria-expanded"), "true");
  assert.ok(await page.evaluate(() => window.openedBefore.isConnected), "it was drawn anew");
  assert.equal(await page.locator(".audit .opened:visible").count(), 1);
  assert.match((await names(page)).join(), /^second\S*,first\S*,today\S*,yesterday\S*,ended\S*,ended\S*$/);
  console.log("an opened row stays open");
}

/** What was there before slides no more than what comes back by a filter, or was filtered when it came. */
async function slidesOnce(page) {
  await slid(page, "first");
  await slid(page, "second");
  const type = page.getByLabel("Type", { exact: true });
  await type.selectOption("web");
  await allocate("solo", "filtered");
  // Of two, the one that is seen comes later.
  await allocate("web", "third");
  await rowOf(page, "third").waitFor();
  await slid(page, "third");
  await type.selectOption("solo");
  await rowOf(page, "filtered").waitFor();
  await type.selectOption("");
  await rowOf(page, "third").waitFor();
  const seen = (await slides(page)).map((name) => name.split("@")[0]);
  assert.deepEqual(seen, ["first", "second", "third"]);
  assert.equal(await page.locator(".slid-in").count(), 0);
  console.log("news slides in once");
}

/** Who does not follow is told how many have come; they are there once, also when they are asked for otherwise. */
async function waits(page) {
  await page.getByRole("button", { name: "Following" }).click();
  await allocate("web", "held");
  await page.getByRole("button", { name: "1 new" }).click();
  await rowOf(page, "held").waitFor();
  assert.ok(await rowOf(page, "today").locator(".opened").isVisible());
  await allocate("web", "loaded");
  await page.getByRole("button", { name: "1 new" }).waitFor();
  await page.getByLabel("Since when").selectOption("1d");
  await rowOf(page, "loaded").waitFor();
  await page.locator(".fresh").waitFor({ state: "hidden" });
  assert.equal(await rowOf(page, "loaded").count(), 1);
  await page.getByRole("button", { name: "Follow", exact: true }).click();
  await allocate("web", "followed");
  await rowOf(page, "followed").waitFor();
  // What changes nothing has no number of its own, and is told all the same.
  await allocate("solo", "refused", 409);
  await rowOf(page, "refused").waitFor();
  assert.equal(await rowOf(page, "loaded").count(), 1);
  await shot(page, "audit-follows-dark-1440");
  console.log("who reads is left alone");
}

/** It is ten in the morning of the second of March there; the entries are of both sides of that midnight. */
async function today() {
  const page = await open({ viewport: { width: 1440, height: 900 }, timezoneId: "Pacific/Kiritimati" });
  await page.clock.setFixedTime("2026-03-01T20:00:00Z");
  await enter(page, await anotherAddress(TOKEN));
  await go(page, "#/a");
  await rowOf(page, "yesterday").waitFor();
  await page.getByLabel("Since when").selectOption("today");
  await rowOf(page, "yesterday").waitFor({ state: "detached" });
  assert.ok(await rowOf(page, "today").isVisible());
  // It is in the address, and whoever follows that sees the same.
  await go(page, "#/t");
  await page.locator("h1", { hasText: "Types" }).waitFor();
  await go(page, "#/a?since=today");
  await rowOf(page, "today").waitFor();
  assert.equal(await rowOf(page, "yesterday").count(), 0);
  console.log("today begins where one is");
}
