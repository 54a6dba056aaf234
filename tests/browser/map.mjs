// The map of ports by keys and by ear: its cells, and where the keys lead.

import { strict as assert } from "node:assert";
import { current, heard, listen, said } from "./accessibility.mjs";
import { enter, given, go, open, pointAt, shot, url } from "./browser.mjs";

/** Goes over the map as who does not see it. */
export async function map() {
  const ports = JSON.parse(given);
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "light" });
  await emptyBasins(page);
  await page.locator(".instances .row", { hasText: "solo/kept" }).waitFor();
  await cells(page, ports);
  await names(page);
  await rest(page);
  await steps(page, ports);
  await outside(page, ports);
  await river(page, ports);
  await berths(page, ports);
  await alarms(page);
  console.log("a grid");
}

/** While the first snapshot is on its way the ranges are there, and nobody is said to be in them or not to be. */
async function emptyBasins(page) {
  const loading = new Promise((done, failed) => {
    const look = async (route) => {
      await page.locator(".lines .basin").first().waitFor();
      await page.locator(".water .basin").first().waitFor({ state: "attached" });
      const said = await page.locator(".lines .use, .gap, .segments button, .sentence").allInnerTexts();
      await shot(page, "loading-light-1440");
      await route.continue();
      return said.join(" ");
    };
    page.route("**/events", (route) => look(route).then(done, failed), { times: 1 });
  });
  await enter(page, url);
  assert.doesNotMatch(await loading, /\d|free|Still/);
}

/** A row a range, and in it nothing but who is there and what is free. */
async function cells(page, { front }) {
  const grid = page.getByRole("grid", { name: "Ports by range" });
  const rows = grid.getByRole("row");
  const range = rows.filter({ has: page.getByRole("rowheader", { name: "web, 1 of 20 in use" }) });
  const snapshot = await heard(range, new RegExp(`- gridcell "${front}, web/front\\S*, ready"`));
  assert.match(snapshot, /- gridcell "\d+ to \d+, \d+ ports free"/);
  assert.doesNotMatch(snapshot, /- (text|img)/);
  // Who is not ready says so; where no range is, water is folded.
  await grid.getByRole("gridcell", { name: /, solo\/kept\S*, reserved$/ }).waitFor({ state: "attached" });
  await grid.getByRole("gridcell", { name: /^1 to 2999, .* ports free$/ }).waitFor({ state: "attached" });
}

/** A name is whole where there is any way to that, and who is not ours pushes nobody's away. */
async function names(page) {
  const said = await page.evaluate(async () => {
    const [{ labels }, { widthOf }] = await Promise.all([import("/ui/labels.js"), import("/ui/dom.js")]);
    let long = "n";
    while (widthOf(long, 11) < 560) long += "n";
    const frame = { width: 700, height: 20, scale: 1, span: 100, x: (port) => (port - 3000) * 7 };
    const lease = (port, id) => ({ port, view: { type: "dev", id } });
    const stranger = (port) => ({
      port,
      listener: { listener: { command: "/bin/a-program-with-a-long-name" } },
    });
    const said = (to, ...present) =>
      labels({ base: 3000, from: 3000, to }, present, frame)
        .map((label) => `${label.textContent} ${label.classList.contains("out") ? "outside" : ""}`.trim())
        .join(", ");
    return [
      said(3099, stranger(3000), lease(3004, "web")),
      said(3099, lease(3000, "web"), stranger(3002), lease(3004, "admin")),
      said(3099, lease(3000, "a-name-for-later"), lease(3004, "own")),
      said(3009, lease(3000, "chroma"), lease(3001, "chroma-eval")),
      said(3009, lease(3000, "a-name-for-later"), lease(3004, long)).replace(/n{9,}/, "long"),
      said(3099, lease(3080, "web"), stranger(3090)),
    ];
  });
  assert.deepEqual(said, [
    "web",
    "web · admin",
    "a-name-for-later · own",
    "chroma · chroma-eval outside",
    "long +1 outside",
    "web",
  ]);
}

/** A range's first line says where the rest is that is drawn elsewhere, beside whoever is on it; nothing is covered. */
async function rest(page) {
  const line = page.locator('.line[data-type="auth"][data-base="9100"]');
  await line.locator(".label", { hasText: "kept" }).waitFor();
  for (const [width, height] of [
    [1440, 900],
    [2560, 1440],
    [360, 740],
  ]) {
    await page.setViewportSize({ width, height });
    await line.locator(".label", { hasText: /^↑ 9099/ }).waitFor();
    await line.scrollIntoViewIfNeeded();
    await shot(page, `map-rest-light-${width}`);
    const covered = await line.evaluate((node) => {
      const boxes = [...node.querySelectorAll(".label, [role=gridcell]:not(.free)")].map((one) =>
        one.getBoundingClientRect(),
      );
      boxes.sort((a, b) => a.left - b.left);
      return boxes.slice(1).filter((box, at) => box.left < boxes[at].right).length;
    });
    assert.equal(covered, 0, `something is covered at ${width}`);
    const over = await page.evaluate(() => {
      const lines = document.querySelector(".lines");
      return lines.scrollHeight - lines.clientHeight;
    });
    assert.ok(over <= 1, `the lines are ${over} px higher than their place at ${width}`);
  }
  await page.getByRole("rowheader", { name: /^auth, .*, 9099 on the line above$/ }).waitFor();
  const away = await page.evaluate(async () => {
    const { linesOf } = await import("/ui/stretches.js");
    const [near, first, far] = [
      [9050, 9098],
      [9000, 9019],
      [9410, 9449],
    ].map((range) => ({ ranges: [range] }));
    return linesOf([first, near, { ranges: [[9099, 9405]] }, far], 100).flatMap(({ guests }) =>
      guests.map((guest) => `${guest.from} ${guest.away}`),
    );
  });
  assert.deepEqual(away, ["9099 -1", "9400 3"], "which line the rest is on");
  await page.setViewportSize({ width: 1440, height: 900 });
}

/** One tab stop; the keys go from cell to cell, and each is heard with its age. */
async function steps(page, { front, kept }) {
  const stops = await page.locator(".lines, .lines [tabindex]:not([tabindex='-1'])").count();
  assert.equal(stops, 1);
  await page.locator(".lines").focus();
  await goTo(page, front);
  const { role, name } = await current(page);
  assert.equal(role, "gridcell");
  assert.match(name, new RegExp(`^${front}, web/front\\S*, ready for \\d+ (second|minute|hour)s?`));
  await shot(page, "map-current-light-1440");
  await page.keyboard.press("ArrowRight");
  assert.match((await current(page)).name, new RegExp(`^${front + 1} to \\d+, \\d+ ports free$`));
  // An age that is read no more would soon be wrong.
  assert.doesNotMatch(await page.locator(".lines").ariaSnapshot(), /ready for/);
  // Port by port it is the port that is said, not the block.
  await listen(page);
  await page.keyboard.press("Shift+ArrowRight");
  await said(page, new RegExp(`^${front + 2}, free$`));
  await goTo(page, kept);
  assert.match((await current(page)).name, /reserved$/);
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.startsWith("#/i/"));
  await page.locator("#drawer").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#drawer").waitFor({ state: "hidden" });
  // Back on the map, and where one was.
  assert.match((await current(page)).name, new RegExp(`^${kept}, `));
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 360, height: 740 });
  await shot(page, "map-current-dark-360");
}

/** Who is on a port of no range is in the folded water: seen, heard, and reached by pointer and keys, near and far. */
async function outside(page, { far }) {
  await page.setViewportSize({ width: 1440, height: 900 });
  const cell = page.locator(".gap .outside", { hasText: `${far} web/far` });
  for (const [key, name] of [
    ["0", "whole"],
    ["+", "closer"],
  ]) {
    await page.locator(".lines").focus();
    await page.keyboard.press(key);
    await goTo(page, far);
    assert.match((await current(page)).name, new RegExp(`^${far}, web/far\\S*, ready for `));
    await shot(page, `map-outside-dark-${name}`);
    await pointAt(page, cell, page.locator(".tip.card", { hasText: "web/far" }));
    await cell.click();
    await page.locator(".drawer-head h2", { hasText: "web/far" }).waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#drawer").waitFor({ state: "hidden" });
  }
  await page.keyboard.press("0");
  await go(page, "#/table");
  await page.locator("tbody tr", { hasText: new RegExp(`^–${far}web/far.*ready`) }).waitFor();
  await go(page, "#/");
}

/** The river's columns by keys: one tab stop, the tip that the pointer has, and a way to the lines. */
async function river(page, { front }) {
  await page.setViewportSize({ width: 1440, height: 500 });
  await page.evaluate(() => scrollTo(0, 0));
  const links = page.locator(".river .columns a");
  assert.equal(await page.locator('.river .columns a[tabindex="0"]').count(), 1);
  await page.getByRole("button", { name: /^Theme/ }).focus();
  await page.keyboard.press("Tab");
  const tip = page.locator(".flow .tip");
  const focused = () => page.evaluate(() => document.activeElement.ariaLabel);
  assert.match(await focused(), /^3000–3999: dev, monitoring\. \d+ instances?\.$/);
  assert.equal(await tip.textContent(), await focused());
  await page.keyboard.press("ArrowRight");
  assert.match(await focused(), /^4000–4999: ui, /);
  const column = Math.floor(front / 1000) * 1000;
  for (let step = 0; step < 66 && !(await focused()).startsWith(`${column}–`); step++)
    await page.keyboard.press("ArrowRight");
  assert.match(await focused(), /: .*\bweb\b.*\. [1-9]\d* instances?\.$/);
  assert.equal(await tip.textContent(), await focused());
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outline);
  assert.match(ring, /solid 2px/);
  await shot(page, "river-current-dark-1440");
  await page.keyboard.press("Enter");
  const seen = page.locator(`.line[data-type="web"]`).first();
  await page.waitForFunction(
    (node) => node.getBoundingClientRect().top < innerHeight,
    await seen.elementHandle(),
  );
  await page.keyboard.press("Home");
  assert.match(await focused(), /^3000–/);
  await page.keyboard.press("Tab");
  await tip.waitFor({ state: "hidden" });
  assert.ok((await links.count()) > 5);
}

/** Steps to whoever is at a port. */
async function goTo(page, port) {
  await page.keyboard.press("Home");
  const at = async () => (await current(page)).name;
  for (let step = 0; step < 200 && !(await at()).startsWith(`${port}, `); step++)
    await page.keyboard.press("ArrowRight");
}

/** Who is at a berth when others come and go stays there, and an age grows. */
async function berths(page, { front }) {
  await go(page, "#/r/web");
  await page.locator(`[data-port="${front + 1}"] button`).focus();
  await page.locator(`[data-port="${front}"] [data-since]`).evaluate((old) => {
    old.dataset.since = new Date(Date.now() - 7_260_000).toISOString();
  });
  await page.locator(".berth", { hasText: /front\s*2 h 01/ }).waitFor();
  await page.evaluate(async (front) => {
    const { changed, sorted } = await import("/ui/world.js");
    sorted().find((view) => view.port === front).phase = "unhealthy";
    changed("instances");
  }, front);
  await page.locator(".berth.trouble", { hasText: "front" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.closest("li").dataset.port), `${front + 1}`);
  await shot(page, "berths-dark-1440");
  await go(page, "#/");
}

/** Who is in trouble is named above the river, and be it many: the first ones at once, all when one asks. */
async function alarms(page) {
  await page.setViewportSize({ width: 1440, height: 900 });
  // No crash loop of a real one waits for so long.
  const nextTry = { inMs: 50_000, code: 1, number: 4, of: 5 };
  await page.route("**/instances/ill-0/checks", (route) => route.fulfill({ json: { nextTry } }));
  await page.evaluate(async () => {
    const { changed, sorted, world } = await import("/ui/world.js");
    for (const view of sorted()) view.phase = "ready";
    const ill = (_, at) => ({ ...sorted()[0], lockId: `ill-${at}`, id: `ill-${at}`, phase: "unhealthy" });
    const all = Array.from({ length: 50 }, ill);
    all[0].phase = "backoff";
    for (const view of all) world.instances.set(view.lockId, view);
    sorted().unshift(...all);
    changed("instances");
  });
  // Why they are lies under their figures, and over none of them.
  const row = page.locator(".instances .row.trouble", { hasText: "ill-0" });
  const apart = await row.evaluate((node) => {
    const text = document.createRange();
    text.selectNodeContents(node.querySelector(".port"));
    return node.querySelector(".reason").getBoundingClientRect().top - text.getBoundingClientRect().bottom;
  });
  assert.ok(apart >= 0, `the port is ${-apart} px too low`);
  // When the next try is, and which one, is counted down at both places.
  await row.locator(".reason", { hasText: /^Exited 1, try 4 of 5 in [1-5]?\d s$/ }).waitFor();
  await page.locator(".alarm", { hasText: /ill-0backing off, next try in [1-5]?\d s$/ }).waitFor();
  const first = Number(/(\d+) s$/.exec(await row.locator(".reason").textContent())[1]);
  for (const place of [".row.trouble .reason", ".alarm"]) {
    await page.waitForFunction(
      ([place, first]) => Number(/(\d+) s$/.exec(document.querySelector(place).textContent)[1]) < first,
      [place, first],
    );
  }
  const named = page.locator(".sentence a.alarm");
  await page.getByRole("button", { name: "and 42 more" }).focus();
  assert.equal(await named.count(), 8);
  await page.keyboard.press("Enter");
  await page.locator(".sentence a.alarm", { hasText: "ill-49" }).waitFor();
  assert.equal(await named.count(), 50);
  await shot(page, "alarms-dark-1440");
  // The focus is where it was.
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "and 42 more" }).waitFor();
  assert.equal(await named.count(), 8);
}
