// Closer, the map has hundreds of lines: those in sight are there, the others have their place.

import { strict as assert } from "node:assert";
import { figure, shot } from "./browser.mjs";

/** How far is scrolled from one look to the next, of the window's height. */
const STEP = 0.7;

/** Zooms in and all the way down, on desks and on a phone. */
export async function zooming(page) {
  for (const [width, height] of [
    [1440, 900],
    [2560, 1440],
    [360, 740],
  ]) {
    await page.setViewportSize({ width, height });
    const took = await zoomIn(page);
    figure(
      `zooming in on 1000 leases at ${width}: ${took.map((ms) => ms.toFixed(0)).join(" and ")} ms to the frame after`,
    );
    await isFilledInSightAlone(page);
    await page.locator(".lines").focus();
    // The keys come to lines that nobody has seen yet.
    await page.keyboard.press("End");
    await page.locator(".lines[aria-activedescendant]").waitFor();
    await page.keyboard.press("Home");
    await page.keyboard.press("0");
    await page.evaluate(() => scrollTo(0, 0));
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

/** Goes as near as lines go; answers how long each step took, in ms. */
async function zoomIn(page) {
  const took = [];
  for (const label of ["50 a line", "25 a line"]) {
    took.push(
      await page.evaluate(
        () =>
          new Promise((done) => {
            const began = performance.now();
            document.querySelector('[aria-label="Zoom in"]').click();
            requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
          }),
      ),
    );
    await page.locator(".segments", { hasText: label }).waitFor();
  }
  return took;
}

/** Wherever it is scrolled to, what is seen is drawn, and nothing moves for that. */
async function isFilledInSightAlone(page) {
  const look = () =>
    page.evaluate(
      () =>
        new Promise((done) =>
          requestAnimationFrame(() =>
            requestAnimationFrame(() => {
              const lines = [...document.querySelectorAll(".lines > .line")];
              const inSight = lines.filter((line) => {
                const { top, bottom } = line.getBoundingClientRect();
                return bottom > 0 && top < innerHeight;
              });
              done({
                lines: lines.length,
                filled: lines.filter((line) => line.firstChild).length,
                empty: inSight.filter((line) => !line.querySelector(".basin")).length,
                heights: new Set(lines.map((line) => Math.round(line.getBoundingClientRect().height))).size,
                gaps: document.querySelectorAll(".lines > .gap").length,
                height: document.querySelector(".lines").scrollHeight,
              });
            }),
          ),
        ),
    );
  const first = await look();
  assert.ok(first.lines > 100, `${first.lines} lines`);
  assert.ok(first.filled < first.lines, `all ${first.lines} lines are filled`);
  for (let at = 0; at < 20; at++) {
    const seen = await look();
    assert.equal(seen.empty, 0, `${seen.empty} lines in sight are empty`);
    // Who begins to listen elsewhere on the machine meanwhile has a gap of its own.
    if (seen.gaps === first.gaps) assert.ok(Math.abs(seen.height - first.height) <= 1, "the map is as high");
    assert.ok(seen.heights <= 2, `lines of ${seen.heights} heights`);
    if (at === 2) await shot(page, `zoom-thousand-${await page.evaluate(() => innerWidth)}`);
    await page.evaluate((step) => scrollBy(0, step * innerHeight), STEP);
  }
}
