// The keys on the map: to the next lease, stranger or free block, from line to line, with Shift from port to port,
// and the zoom.

import { Walk } from "./walk.js";

/** Follows the keys for as long as the map is there; answers the walk that they lead. */
export function followKeys(map) {
  const walk = new Walk(map);
  const keys = {
    ArrowRight: () => walk.by(1),
    ArrowLeft: () => walk.by(-1),
    ArrowDown: () => walk.acrossRows(1),
    ArrowUp: () => walk.acrossRows(-1),
    Home: () => walk.toEnd(0),
    End: () => walk.toEnd(-1),
    Enter: () => walk.enter(),
    "+": () => map.setZoom(map.zoom + 1),
    "-": () => map.setZoom(map.zoom - 1),
    0: () => map.setZoom(0),
  };
  const shifted = { ArrowRight: () => walk.byPort(1), ArrowLeft: () => walk.byPort(-1) };
  map.body.addEventListener("keydown", (event) => {
    let act = event.ctrlKey || event.metaKey ? null : keys[event.key];
    if (event.shiftKey && map.lines.length) act = shifted[event.key] ?? act;
    if (!act) return;
    event.preventDefault();
    act();
  });
  // Who comes by pointer is at what it points to.
  map.body.addEventListener("focus", () => {
    if (map.body.matches(":focus-visible")) walk.begin();
  });
  return walk;
}
