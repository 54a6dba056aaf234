// How soon the page knows, and how it does with a thousand leases. Figures are kept, not failed by: machines are shared.

import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { browser, figure, given, open, shot, url } from "./browser.mjs";

/** So many leases are made one after the other. */
const TURNS = 7;

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
  const { origin } = new URL(url);
  const headers = { "x-api-key": given, "content-type": "application/json" };
  const page = await open({ viewport: { width: 1440, height: 900 } }, url);
  await page.locator('.instances .table[aria-rowcount="1002"]').waitFor();
  const nodes = await page.evaluate(() => document.querySelectorAll(".lines *").length);
  assert.ok(nodes < 6000, `${nodes} nodes in the map`);
  const rows = await page.locator(".instances .row[data-lock]").count();
  assert.ok(rows > 20 && rows < 200, `${rows} rows`);
  await shot(page, "thousand");
  // Figures to keep, not to fail by: machines are shared. Without a display, a frame takes what its work takes.
  const frames = (scrolls) =>
    page.evaluate(
      (scrolls) =>
        new Promise((done) => {
          const times = [];
          let before = performance.now();
          const frame = (now) => {
            times.push(now - before);
            before = now;
            if (scrolls) scrollBy(0, times.length < 60 ? 240 : -240);
            if (times.length < 120) requestAnimationFrame(frame);
            else done(times.slice(1).sort((a, b) => a - b));
          };
          requestAnimationFrame(frame);
        }),
      scrolls,
    );
  // On a machine that others use, too, the processor time of a frame says more than its length.
  const system = await browser.newBrowserCDPSession();
  const used = async () => {
    const { processInfo } = await system.send("SystemInfo.getProcessInfo");
    return processInfo
      .filter(({ type }) => type === "renderer" || type === "GPU")
      .reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  };
  const told = async (what, scrolls) => {
    const before = await used();
    const times = await frames(scrolls);
    const each = (1000 * ((await used()) - before)) / times.length;
    assert.equal(times.length, 119);
    figure(
      `frames while ${what} with 1000 leases: median ${times[60].toFixed(1)} ms, 95% ${times[113].toFixed(1)} ms, longest ${times[118].toFixed(1)} ms, processor time of each ${each.toFixed(1)} ms; wanted: 33 ms`,
    );
  };
  await told("nothing happens", false);
  await told("scrolling", true);
  let over = false;
  const changes = (async () => {
    for (let turn = 0; !over; turn++) {
      const body = JSON.stringify({ service_type: "many", service_name: `brief-${turn}` });
      const { lockId } = await (await fetch(`${origin}/allocate`, { method: "POST", headers, body })).json();
      await fetch(`${origin}/allocate/${lockId}`, { method: "DELETE", headers });
    }
  })();
  await told("leases come and go", false);
  over = true;
  await changes;
  // The last one is there when it is scrolled to, and the first one again after that.
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await page.locator('.instances .row[aria-rowindex="1002"]').waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await page.locator('.instances .row[aria-rowindex="2"]').waitFor();
  console.log("a thousand leases");
}
