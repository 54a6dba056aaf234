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
  await phases(page);
  await log(page);
  await removal(page);
  await blind(page, server);
}

const hash = (page) => page.evaluate(() => location.hash);
const focused = (page) => page.evaluate(() => document.activeElement.textContent);

async function words(page) {
  const text = (name) => page.locator(".instances .row", { hasText: name }).innerText();
  assert.match(await text("alone"), /alone\s+single\s/);
  // Since when it is so was not seen: its supervisor tells.
  const reason = page.locator(".instances .row", { hasText: "ill" }).locator(".reason");
  await reason.filter({ hasText: /^The answer was 500, for \d+ (s|min)$/ }).waitFor();
  await page.locator(".alarm", { hasText: /unhealthy for \d+ (s|min)$/ }).waitFor();
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
  // The editor stays open, and compares with what was saved; the undo brings back what was before it.
  const description = (words) => page.locator(`tr[aria-current] a[title="${words}"]`).waitFor();
  for (const words of ["First words", "Second words"]) {
    await page.getByLabel("Description").fill(words);
    await page.getByRole("button", { name: "Review changes" }).click();
    if (words === "Second words") await page.locator(".review .minus", { hasText: "First words" }).waitFor();
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await description(words);
  }
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await description("First words");
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
  // What names somebody is kept, but in no address.
  const search = page.getByLabel("Search", { exact: true });
  await search.fill("alone");
  const user = await page.getByLabel("User").locator("option").nth(1).getAttribute("value");
  await page.getByLabel("User").selectOption(user);
  const kept = async (hash) => {
    await page.waitForFunction((hash) => location.hash === hash, hash);
    await page.locator(".audit .rows .row", { hasText: "alone" }).first().waitFor();
    assert.equal(await search.inputValue(), "alone");
    assert.equal(await page.getByLabel("User").inputValue(), user);
  };
  await page.getByRole("link", { name: "Everything" }).click();
  await kept("#/a?type=solo&since=1d");
  await go(page, "#/t");
  await page.locator("h1", { hasText: "Types" }).waitFor();
  await page.goBack();
  await kept("#/a?type=solo&since=1d");
  await page.goBack();
  await kept("#/a/Leases?type=solo&since=1d");
  // A link to the same page with another filter or zoom is followed.
  await search.fill("");
  await page.getByLabel("User").selectOption({ index: 0 });
  await go(page, "#/a/Leases?type=web");
  await page.locator(".audit .rows .row", { hasText: "several" }).first().waitFor();
  assert.equal(await type.inputValue(), "web");
  await go(page, "#/?span=25");
  await page.getByRole("button", { name: "25 a line" }).waitFor();
  await go(page, "#/");
  await page.getByRole("button", { name: "Ranges", exact: true }).waitFor();
  console.log("addresses");
}

async function table(page) {
  await go(page, "#/table");
  await page.locator("tbody tr", { hasText: /alone.*ready for \d+ (second|minute)/ }).waitFor();
  await page.locator("tbody tr", { hasText: /free$/ }).first().waitFor();
  console.log("a table");
}

/** What an instance has been through is shown since its start, also when the page came later. */
async function phases(page) {
  await go(page, "#/");
  await page.locator(".instances .row-name", { hasText: "ill" }).click();
  const drawn = () =>
    page
      .locator(".spans .span")
      .evaluateAll((spans) => spans.map((span) => /phase-(\w+)/.exec(span.className)[1]));
  await page.locator(".spans .phase-unhealthy").waitFor();
  assert.deepEqual(await drawn(), ["starting", "ready", "unhealthy"]);
  const spoken = /^starting \d+ s, ready \d+ (s|min), unhealthy \d+ (s|min)$/;
  assert.match(await page.locator(".spans").getAttribute("aria-label"), spoken);
  const fact = (term) => page.locator(`.facts dt:has-text("${term}") + dd`).textContent();
  assert.match(await fact("Its tree"), /^\d+ \S+$/);
  assert.match(await fact("Ready by"), /^http:\/, checked every 20 ms$/);
  assert.equal(await fact("Policy"), "not started again when it ends");
  assert.match(
    await page.locator(".health .head").textContent(),
    /checked every 20 ms\d+ of the last 44 checks passed$/,
  );
  await page.locator(".reason-box", { hasText: /Its health check has failed for \d+ (s|min)/ }).waitFor();
  await shot(page, "phases-light-1440");
  // As many as are kept have room, also on a phone.
  await page.setViewportSize({ width: 360, height: 740 });
  const over = await page.evaluate(() => {
    const spans = document.querySelector(".spans");
    const short = spans.querySelector(".phase-starting");
    while (spans.childElementCount < 64) spans.prepend(short.cloneNode());
    return spans.scrollWidth - spans.clientWidth;
  });
  assert.ok(over <= 0, `phases are ${over} px too wide`);
  const cut = await page
    .locator(".drawer-head :is(button, a)")
    .evaluateAll((nodes) => nodes.filter((node) => node.getBoundingClientRect().right > innerWidth).length);
  assert.equal(cut, 0, "what can be done is cut off");
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.keyboard.press("Escape");
  console.log("phases");
}

/** A colour out of 256 is none of the page's; bold keeps the one before it. */
async function log(page) {
  await go(page, "#/");
  await page.locator(".instances .row-name", { hasText: "alone" }).click();
  const line = page.locator(".log-line", { hasText: "plain" });
  await line.waitFor();
  assert.deepEqual(await line.locator(".tone-unhealthy").allTextContents(), ["red"]);
  // It is said for as long as the restart takes, and that may be over before anybody looks.
  await page.evaluate(() => {
    window.told = new Promise((done) =>
      new MutationObserver((_, watch) => {
        const said = document.querySelector("#drawer .question:not([hidden])")?.textContent;
        if (!said) return;
        watch.disconnect();
        done(said);
      }).observe(document.body, { attributes: true, childList: true, subtree: true, characterData: true }),
    );
  });
  await page.getByRole("button", { name: "Restart" }).click();
  assert.match(await page.evaluate(() => window.told), /^Restarting solo\/alone\S* on the same port\.$/);
  await page.locator("#drawer .question").waitFor({ state: "hidden" });
  console.log("a log");
}

/** Who removes a type in use types its name, and stops what runs on it. */
async function removal(page) {
  await go(page, "#/t/solo");
  await page.getByRole("button", { name: "Remove…" }).click();
  await page.locator(".review", { hasText: "alone still runs on it. Removing the type stops it." }).waitFor();
  const remove = page.getByRole("button", { name: "Stop 1 and remove" });
  assert.ok(await remove.isDisabled());
  await shot(page, "types-remove");
  await page.getByLabel("Type solo to go on").fill("solo");
  await remove.click();
  await page.locator("tbody a", { hasText: "solo" }).waitFor({ state: "detached" });
  await go(page, "#/");
  await page.locator(".instances .row", { hasText: "alone" }).waitFor({ state: "detached" });
  await page.locator(".instances .row-name", { hasText: "ill" }).click();
  await page.getByRole("button", { name: "Stop…" }).waitFor();
  console.log("a type in use");
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
