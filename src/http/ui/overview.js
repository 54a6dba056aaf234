// The overview: the map of ranges, the list of instances, and the services that don't run.

import { copyButton, el } from "./dom.js";
import { instances } from "./instances.js";
import { legend } from "./phases.js";
import { berths } from "./berths.js";
import { lines } from "./lines.js";
import { notRunning } from "./services.js";
import { watch, world } from "./world.js";

/** The page, or the part of it about one range; `open` opens an instance, `find` tells what is looked for. */
export function overview(open, range, find) {
  const map = range ? berths(range, open) : lines(open);
  const list = instances(open, find);
  const ports = el(
    "section.ports",
    { "aria-label": "Ports" },
    range ? null : el("div.head", {}, el("h2", {}, "Ports"), legend(), map.zoom),
    map,
  );
  const node = el("div.overview", {}, ports, list);
  const still = stillWater();
  const services = notRunning();
  list.append(still, services);
  const show = () => {
    const others = [...world.instances.values()].some((view) => String(view.port) !== location.port);
    still.hidden = others || !world.loaded;
  };
  const unwatch = watch((what) => {
    if (what.has("instances")) show();
  });
  show();
  node.leave = () => {
    map.leave?.();
    list.leave();
    services.leave();
    unwatch();
  };
  node.first = list.first;
  node.go = (port) => map.go?.(port);
  return node;
}

/** What is there while nothing is. */
const stillWater = () =>
  el(
    "section.still-water",
    { hidden: true },
    el("h2", {}, "Still water."),
    el(
      "p",
      {},
      "No instance runs on this machine but the one that serves this page. Put this before any server command, and it appears here by itself:",
    ),
    el("p.mono.command", {}, "styxy run -- npm run dev ", copyButton("styxy run -- ")),
  );
