// All pages and all actions, one after the other. One session is all a code gives, so all of it happens in one page.

import { strict as assert } from "node:assert";
import { createServer } from "node:net";
import { current, listen, said } from "./accessibility.mjs";
import { go, open, shot, url } from "./browser.mjs";

/** Goes through all of it. */
export async function tour() {
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" }, url);
  await everySize(page);
  await hostileText(page);
  await restartAndStop(page);
  await typeComesAndGoes(page);
  await settingIsSaved(page);
  await spansAndStrangers(page);
  await keysAndNames(page);
}

async function everySize(page) {
  await page.waitForSelector(".instances .row[data-lock]");
  assert.equal(new URL(page.url()).hash.includes("code"), false, "the code is gone from the address");
  const cookies = await page.context().cookies();
  assert.equal(cookies.length + (await page.evaluate(() => localStorage.length + sessionStorage.length)), 0);
  for (const [hash, heading] of [
    ["#/", /instance/],
    ["#/t", /Types/],
    ["#/t/web", /Types/],
    ["#/t/+", /Types/],
    ["#/a", /Audit/],
    ["#/a/Leases", /Audit/],
    ["#/m", /Metrics/],
    ["#/c/user", /Configuration/],
    ["#/c/effective", /Configuration/],
    ["#/table", /Ports by range/],
  ]) {
    await go(page, hash);
    await page.locator("h1", { hasText: heading }).first().waitFor();
  }
  for (const [width, height] of [
    [1440, 900],
    [390, 844],
    [360, 740],
    [2560, 1440],
    [3840, 2160],
  ]) {
    await page.setViewportSize({ width, height });
    for (const theme of ["dark", "light"]) {
      await page.emulateMedia({ colorScheme: theme });
      for (const [name, hash] of [
        ["overview", "#/"],
        ["types", "#/t"],
        ["audit", "#/a"],
        ["metrics", "#/m"],
        ["config", "#/c/user"],
      ]) {
        await go(page, hash);
        await page.waitForFunction(
          (hash) => location.hash === hash && document.querySelector("main").childElementCount > 0,
          hash,
        );
        // Not before there is something to see.
        const filled = {
          audit: ".audit .row:not(.heads)",
          config: ".sheet .code-line",
          types: "tbody tr",
          overview: ".instances .row[data-lock]",
        }[name];
        if (filled) await page.locator(filled).first().waitFor();
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${name} at ${width} scrolls sideways by ${over}`);
        if (width !== 3840) await shot(page, `${name}-${theme}-${width}`);
      }
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ colorScheme: "dark", forcedColors: "active", reducedMotion: "reduce" });
  for (const [name, hash] of [
    ["overview", "#/"],
    ["types", "#/t/web"],
    ["metrics", "#/m"],
  ]) {
    await go(page, hash);
    await page.waitForFunction(
      (hash) => location.hash === hash && document.querySelector("main").childElementCount > 0,
      hash,
    );
    await shot(page, `${name}-forced-colours-1440`);
  }
  await page.emulateMedia({ forcedColors: "none", reducedMotion: "no-preference" });
  console.log("every page, in every size");
}

async function hostileText(page) {
  // Hostile text is text.
  await go(page, "#/");
  const row = page.locator(".instances .row", { hasText: "hostile" });
  await row.click();
  await page.locator(".log-line", { hasText: "<img src=x onerror=alert(1)>" }).waitFor();
  assert.equal(await page.locator(".log-lines img, .log-lines script").count(), 0);
  await shot(page, "instance-hostile-log");
  console.log("hostile text is text");
}

async function restartAndStop(page) {
  // A question stands where the button was; its safe answer has the focus; Esc is that answer.
  await page.getByRole("button", { name: "Stop…" }).click();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep it running");
  await page.keyboard.press("Escape");
  await page.locator(".question").waitFor({ state: "hidden" });
  // It is answered when the instance is ready again; until then its phase may be that of before.
  const answer = page.waitForResponse((response) => response.url().endsWith("/restart"));
  await page.getByRole("button", { name: "Restart" }).click();
  assert.equal((await answer).status(), 200);
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".facts dt")].some((dt) => dt.textContent === "Restarts"),
  );
  await page.locator(".drawer-head .glyph .phase-ready").waitFor();
  await page.getByRole("button", { name: "Stop…" }).click();
  await page.getByRole("button", { name: "Stop it" }).click();
  await page.locator(".instances .row", { hasText: "hostile" }).waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  console.log("restarted and stopped");
}

async function typeComesAndGoes(page) {
  // A type is added, and removed by its undo.
  await go(page, "#/t/+");
  await page.getByLabel("Name").fill("from-the-page");
  await page.locator(".verdict", { hasText: "Fits." }).waitFor();
  await page.locator("#type-first").fill("70000");
  await page.locator(".verdict.bad").waitFor();
  await page.locator("#type-first").fill("61000");
  await page.locator("#type-last").fill("61009");
  // Drawn with the pointer, moved by keys, and typed: three ways to the same two numbers.
  const ends = async () => [
    Number(await page.locator("#type-first").inputValue()),
    Number(await page.locator("#type-last").inputValue()),
  ];
  const axis = await page.locator(".axis-editor").boundingBox();
  const across = async (from, to) => {
    await page.mouse.move(axis.x + axis.width * from, axis.y + 34);
    await page.mouse.down();
    await page.mouse.move(axis.x + (axis.width * (from + to)) / 2, axis.y + 34);
    await page.mouse.move(axis.x + axis.width * to, axis.y + 34);
    await page.mouse.up();
  };
  await across(0.1, 0.3);
  const [drawnFirst, drawnLast] = await ends();
  assert.ok(
    drawnFirst < 61000 && drawnLast > drawnFirst && drawnLast < 61000,
    `drawn ${drawnFirst} to ${drawnLast}`,
  );
  await page.locator('.axis-editor [data-end="1"]').focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowRight");
  assert.deepEqual(await ends(), [drawnFirst, drawnLast + 11]);
  await shot(page, "types-editor-dark-1440");
  await page.locator("#type-first").fill("61000");
  await page.locator("#type-last").fill("61009");
  await page.getByRole("button", { name: "Review" }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator("tbody a", { hasText: "from-the-page" }).waitFor();
  await page.getByRole("button", { name: "Undo", exact: true }).click();
  await page.locator("tbody a", { hasText: "from-the-page" }).waitFor({ state: "detached" });
  console.log("a type came and went");
}

async function settingIsSaved(page) {
  // The configuration is checked as one types.
  await go(page, "#/c/user");
  const text = page.getByLabel("Text of the file");
  const before = await text.inputValue();
  await text.fill(`${before}\n[auto_allocation]\ndefault_chunk_siz = 20 # as many as one needs in a day\n`);
  await page.locator(".said.bad", { hasText: "unknown key" }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Save", exact: true }).isDisabled());
  await page.getByRole("button", { name: "Use it" }).click();
  await page.locator(".diff .plus", { hasText: "20" }).waitFor();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.locator("#undo", { hasText: "Saved" }).waitFor();
  await page.locator(".aside", { hasText: "was 10 built in" }).waitFor();
  await page.locator(".path", { hasText: /config\.toml, saved \d\d:\d\d:\d\d$/ }).waitFor();
  await shot(page, "config-saved-dark-1440");
  // What stands beside a line leaves it where it is in the text.
  await page.setViewportSize({ width: 360, height: 740 });
  const heights = await page
    .locator(".code-line")
    .evaluateAll((lines) => [...new Set(lines.map((line) => line.offsetHeight))]);
  assert.equal(heights.length, 1, `lines of ${heights} px`);
  await shot(page, "config-saved-dark-360");
  await page.setViewportSize({ width: 1440, height: 900 });
  console.log("a setting was saved");
}

async function spansAndStrangers(page) {
  // What is drawn along a line says how much of it is free; Shift and an arrow say what one port is.
  await go(page, "#/");
  const line = await page.locator('.line[data-type="dev"] .water-line').first().boundingBox();
  const along = (share) => page.mouse.move(line.x + line.width * share, line.y + line.height / 2);
  await listen(page);
  await along(0.305);
  await page.mouse.down();
  await along(0.35);
  await along(0.395);
  await page.mouse.up();
  await said(page, /^3030–3039, \d+ free$/);
  assert.equal(await page.evaluate(() => location.hash), "#/");
  await page.locator(".lines").focus();
  // The keys stop at free blocks, too, behind as many listeners as the machine has there.
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  for (let step = 0; step < 50 && !/ free$/.test((await current(page)).name); step++)
    await page.keyboard.press("ArrowRight");
  assert.match((await current(page)).name, /^\d+ to \d+, \d+ ports free$/);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.startsWith("#/r/"));
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => location.hash === "#/");
  // From one range's berths the river leads to the whole map, and Back to them again.
  await page.goBack();
  await page.locator(".river .water").click();
  await page.waitForFunction(() => location.hash === "#/");
  await page.locator(".lines").waitFor();
  await page.goBack();
  await page.locator(".berths").waitFor();
  await page.goBack();
  await page.locator(".lines").focus();
  await page.keyboard.press("ArrowRight");
  await listen(page);
  await page.keyboard.press("Shift+ArrowRight");
  await said(page, /^\d+, \S+/);
  // A port that styxy did not give out has a drawer, too.
  const stranger = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => stranger.once("listening", done));
  await go(page, `#/p/${stranger.address().port}`);
  await page.locator(".port-drawer .facts .mono", { hasText: "node" }).waitFor();
  await shot(page, "port-not-ours-dark-1440");
  await page.keyboard.press("Escape");
  stranger.close();
  // How the overview is looked at is in its address: it is there again after Back, and behind a drawer.
  await page.getByRole("button", { name: "Zoom in" }).click();
  await page.getByRole("button", { name: /^Trouble/ }).click();
  assert.equal(await page.evaluate(() => location.hash), "#/?span=50&show=trouble");
  await go(page, "#/m");
  await page.locator("h1", { hasText: "Metrics" }).waitFor();
  await page.goBack();
  await page.locator('.instances button[aria-pressed="true"]', { hasText: "Trouble" }).waitFor();
  await page.locator(".segments", { hasText: "50 a line" }).waitFor();
  await go(page, `#/p/${new URL(url).port}`);
  await page.locator(".port-drawer").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => location.hash === "#/?span=50&show=trouble");
  await page.getByRole("button", { name: "Zoom out" }).click();
  await page.getByRole("button", { name: /^All/ }).click();
  assert.equal(await page.evaluate(() => location.hash), "#/");
  console.log("spans and strangers");
}

async function keysAndNames(page) {
  // Keys, and the names that readers hear.
  await go(page, "#/");
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await page.locator("h1", { hasText: "Metrics" }).waitFor();
  await page.keyboard.press("?");
  await page.locator("#keys-box").waitFor();
  await page.keyboard.press("Escape");
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, a, input, select, textarea")]
      .filter(
        (node) =>
          !node.textContent.trim() &&
          !node.ariaLabel &&
          !node.title &&
          !node.labels?.length &&
          !node.closest("label"),
      )
      .map((node) => node.outerHTML),
  );
  assert.deepEqual(nameless, []);
  console.log("keys and names");
}
