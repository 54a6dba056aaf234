// How soon the page knows, and how it does with a thousand leases. Figures are kept, not failed by: machines are shared.

import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import { figure, given, open, shot, url } from "./browser.mjs";
import { costOf, part } from "./frames.mjs";
import { allIsPrinted } from "./sheets.mjs";
import { zooming } from "./zoom.mjs";

/** So many leases are made one after the other. */
const TURNS = 7;
/** So many frames are measured; a lease comes or goes so often meanwhile, in ms; the page holds less than so much. */
const FRAMES = 120;
const APART = 50;
const NODES_MAX = 6000;

/** A lease of a terminal appears, and no request of the page's has asked for it. */
export async function told() {
  const { program, words, env, cwd } = JSON.parse(given);
  const page = await open({ viewport: { width: 1440, height: 900 } }, url);
  await page.locator("h1", { hasText: "1 instance" }).waitFor();
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  const times = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const name = `from-a-terminal-${turn}`;
    await page.evaluate((name) => {
      const there = () =>
        [...document.querySelectorAll(".instances .row")].some((row) => row.textContent.includes(name));
      window.appeared = new Promise((done) =>
        new MutationObserver((_, watch) => {
          if (there()) {
            watch.disconnect();
            requestAnimationFrame(() => setTimeout(() => done(Date.now())));
          }
        }).observe(document.body, { childList: true, subtree: true, characterData: true }),
      );
    }, name);
    execFileSync(program, [...words, name], { env, cwd });
    const made = Date.now();
    times.push((await page.evaluate(() => window.appeared)) - made);
  }
  times.sort((a, b) => a - b);
  figure(
    `a lease is on the page after its command has ended: median ${times[TURNS >> 1]} ms, longest ${times.at(-1)} ms of ${TURNS}; wanted: 200 ms`,
  );
  // What processes use, who listens and what could be started is asked for while somebody looks; none of it
  // names a lease that is new.
  assert.deepEqual(
    asked.filter((path) => !["/usage", "/scan", "/projects"].includes(path)),
    [],
  );
  console.log("a lease of a terminal");
}

/** A thousand leases are there, and those that are seen are drawn. */
export async function thousand() {
  const page = await open({ viewport: { width: 1440, height: 900 } }, url);
  await page.locator('.instances .table[aria-rowcount="1002"]').waitFor();
  // Figures to keep, not to fail by: machines are shared. Without a display, a frame takes what its work takes.
  await isSmall(page);
  await shot(page, "thousand");
  await tellCost("nothing happens", () => frames(page));
  await tellCost("scrolling", () => frames(page, "scrolls"));
  await isSmall(page);
  await tellCost("the pointer moves over the map", () => frames(page, "points"));
  for (const type of ["many", "bench"]) {
    const end = comeAndGo(type);
    await tellCost(`leases of ${type} come and go`, () => frames(page));
    await end();
    await isSmall(page);
  }
  // The last one is there when it is scrolled to, and the first one again after that.
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await page.locator('.instances .row[aria-rowindex="1002"]').waitFor();
  await isInOrder(page);
  await page.evaluate(() => scrollTo(0, 0));
  await page.locator('.instances .row[aria-rowindex="2"]').waitFor();
  await isInOrder(page);
  await page.evaluate(() => scrollTo(0, 0));
  await zooming(page);
  await allIsPrinted(page, 1001);
  await isSmall(page);
  console.log("a thousand leases");
}

/** What the page holds doesn't grow with what nobody sees. */
async function isSmall(page) {
  const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(nodes < NODES_MAX, `${nodes} nodes in the page`);
  const rows = await page.locator(".instances .row[data-lock]").count();
  assert.ok(rows > 20 && rows < 200, `${rows} rows`);
}

/** Rows serve for others when they are scrolled; once that is over they are read in the order they are seen in. */
const isInOrder = (page) =>
  page.waitForFunction(() => {
    const rows = [...document.querySelectorAll(".instances .row[data-lock]")];
    const numbers = rows.map((row) => Number(row.getAttribute("aria-rowindex")));
    return numbers.every((number, at) => at === 0 || numbers[at - 1] < number);
  });

/** How long each of so many frames takes, in ms, while nothing or something is done in each of them. */
const frames = (page, deed) =>
  page.evaluate(
    ([deed, count]) =>
      new Promise((done) => {
        const times = [];
        let before = performance.now();
        const point = (drawing) => {
          const { left, top, width } = drawing.getBoundingClientRect();
          const clientX = left + ((times.length % 20) / 20) * width;
          drawing.dispatchEvent(
            new PointerEvent("pointermove", { bubbles: true, clientX, clientY: top + 5 }),
          );
        };
        const drawings = document.querySelectorAll(".lines svg");
        const frame = (now) => {
          times.push(now - before);
          before = now;
          if (deed === "scrolls") scrollBy(0, times.length <= count / 2 ? 240 : -240);
          if (deed === "points") point(drawings[Math.floor(times.length / 20)]);
          if (times.length <= count) requestAnimationFrame(frame);
          else done(times.slice(1));
        };
        requestAnimationFrame(frame);
      }),
    [deed, FRAMES],
  );

/** Says what frames cost while `what`. */
async function tellCost(what, act) {
  const { lengths, page, each } = await costOf(act);
  assert.equal(lengths.length, FRAMES);
  assert.ok(page.length > 0, "the trace tells of no frame");
  figure(
    `frames while ${what}, 1000 leases: ${part(lengths, 0.5)} ms apart (95% ${part(lengths, 0.95)}), the page's own time ${part(page, 0.5)} ms (95% ${part(page, 0.95)}), of all processes ${each.toFixed(1)} ms; wanted: own 8 ms`,
  );
}

/** Leases of a type come and go until what comes back is called. */
function comeAndGo(type) {
  const { origin } = new URL(url);
  const headers = { "x-api-key": given, "content-type": "application/json" };
  // A connection that nobody has used for a while may be closed just when it is used again: once more, then.
  const ask = (path, options) => {
    const again = () => fetch(`${origin}${path}`, { headers, ...options });
    return again().catch(again);
  };
  let isOver = false;
  const changes = (async () => {
    for (let turn = 0; !isOver; turn++) {
      const body = JSON.stringify({ service_type: type, service_name: `brief-${turn}` });
      const { lockId } = await (await ask("/allocate", { method: "POST", body })).json();
      await setTimeout(APART);
      await ask(`/allocate/${lockId}`, { method: "DELETE" });
      await setTimeout(APART);
    }
  })();
  return () => {
    isOver = true;
    return changes;
  };
}
