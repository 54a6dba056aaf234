// The page at 200 % zoom, where a desk's window is half as wide, and on paper: nothing is cut off, and nothing lies over
// anything else.

import { strict as assert } from "node:assert";
import { go, open, settled, shot, url } from "./browser.mjs";

const PAGES = [
  ["overview", "#/", ".instances .row[data-lock]"],
  ["range", "#/r/web", ".berth"],
  ["table", "#/table", "tbody tr"],
  ["types", "#/t", "tbody tr"],
  ["editor", "#/t/web", ".axis-editor .own"],
  ["audit", "#/a", ".audit .rows .row"],
  ["metrics", "#/m", ".chart text.tick"],
  ["config", "#/c/user", ".sheet .code-line"],
  ["effective", "#/c/effective", "tbody tr"],
];

/** Looks at every page and at a drawer. */
export async function sheets() {
  const page = await open({ viewport: { width: 720, height: 450 }, colorScheme: "light" }, url);
  await page.locator(".instances .row[data-lock]").first().waitFor();
  const lock = await page.locator(".instances .row[data-lock]").first().getAttribute("data-lock");
  const pages = [...PAGES, ["drawer", `#/i/${encodeURIComponent(lock)}`, ".drawer-head"]];
  for (const [name, hash, filled] of pages) {
    await go(page, hash);
    await page.locator(filled).first().waitFor();
    await settled(page);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await isWhole(page, name);
      await shot(page, `${name}-${colorScheme}-720`);
    }
  }
  console.log("at twice the size");
  await growsAsOne(page);
  // Who has chosen the dark theme prints in ink, too.
  for (let press = 0; press < 2; press++) await page.locator("#theme").evaluate((button) => button.click());
  await page.locator('html[data-theme="dark"]').waitFor();
  for (const [name, hash, filled] of pages) {
    await go(page, hash);
    await page.locator(filled).first().waitFor();
    await settled(page);
    await page.emulateMedia({ media: "print" });
    await isOnPaper(page, name);
    await shot(page, `${name}-print`);
    await page.emulateMedia({ media: "screen" });
  }
  console.log("on paper");
}

/** Where everything is larger, the type editor's axis is, too, with its letters. */
async function growsAsOne(page) {
  const sizes = [];
  for (const [width, tall] of [
    [1440, 900],
    [3840, 2160],
  ]) {
    await page.setViewportSize({ width, height: tall });
    await go(page, "#/t");
    await page.locator(".axis-editor").waitFor({ state: "detached" });
    await go(page, "#/t/web");
    await page.locator(".axis-editor .own").waitFor();
    // It is drawn anew when the gap is known: both are measured at once.
    sizes.push(
      await page.evaluate(() => {
        const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
        const height = (part) => document.querySelector(part).getBoundingClientRect().height / rem;
        return [height(".axis-editor"), height(".axis-editor .number")];
      }),
    );
    await shot(page, `editor-dark-${width}`);
  }
  const [[axis, number], [axisAt4k, numberAt4k]] = sizes;
  assert.ok(Math.abs(axis - axisAt4k) < 0.05, `an axis of ${axis} and of ${axisAt4k} rem`);
  assert.ok(Math.abs(number - numberAt4k) < 0.1, `numbers of ${number} and of ${numberAt4k} rem`);
  await page.setViewportSize({ width: 720, height: 450 });
}

/** Nothing is beside the window, and what says nothing covers nothing. */
async function isWhole(page, name) {
  const { over, cut, covers, below } = await page.evaluate(() => ({
    over: document.scrollingElement.scrollWidth - innerWidth,
    cut: [...document.querySelectorAll("button, a, input, select, h1, h2, th, td")]
      .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 1)
      .map((node) => node.outerHTML.slice(0, 80)),
    covers: [...document.querySelectorAll("main *")].filter(
      (node) => getComputedStyle(node).position === "sticky" && !node.textContent,
    ).length,
    below: [...document.querySelectorAll(".chart path")].filter(
      (path) => path.getBoundingClientRect().bottom > path.ownerSVGElement.getBoundingClientRect().bottom + 1,
    ).length,
  }));
  assert.equal(below, 0, "what is drawn leaves its chart");
  assert.ok(over <= 0, `${name} scrolls sideways by ${over}`);
  assert.deepEqual(cut, [], `${name} is cut off`);
  assert.equal(covers, 0, `an empty strip lies over ${name}`);
}

async function isOnPaper(page, name) {
  const { fixed, over, ink, ground, band, log } = await page.evaluate(() => {
    const style = (node) => getComputedStyle(node);
    const log = document.querySelector(".log-lines");
    return {
      fixed: [...document.querySelectorAll("body *")]
        .filter((node) => node.checkVisibility() && ["fixed", "sticky"].includes(style(node).position))
        .map((node) => node.outerHTML.slice(0, 80)),
      over: document.scrollingElement.scrollWidth - innerWidth,
      ink: style(document.body).color,
      ground: style(document.documentElement).backgroundColor,
      band: style(document.getElementById("band")).backgroundImage,
      log: log && [style(log).maxHeight, style(log).color],
    };
  });
  assert.deepEqual(fixed, [], `something lies over ${name} on each sheet`);
  assert.ok(over <= 0, `${name} is ${over} px wider than its sheet`);
  assert.deepEqual([ink, ground, band], ["rgb(16, 35, 42)", "rgb(255, 255, 255)", "none"]);
  if (name === "drawer") assert.deepEqual(log, ["none", ink], "its log is cut or dark");
}

/** All rows and lines are printed, whatever is seen of them. */
export async function allIsPrinted(page, count) {
  const rows = page.locator(".instances .row[data-lock]");
  const before = await rows.count();
  const tell = (name) => page.evaluate((name) => dispatchEvent(new Event(name)), name);
  await tell("beforeprint");
  assert.equal(await rows.count(), count);
  const numbers = await rows.evaluateAll((all) =>
    all.map((row) => Number(row.getAttribute("aria-rowindex"))),
  );
  assert.ok(
    numbers.every((number, at) => number === at + 2),
    "they are not in order",
  );
  assert.equal(await page.locator(".lines > .line:empty").count(), 0);
  await tell("afterprint");
  assert.equal(await rows.count(), before);
}
