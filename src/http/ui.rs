//! The page's files, compiled in. They hold no data, so anyone on this machine may have them.

use super::{
    call::Reply,
    guard::Access,
    routes::{How, Route},
};

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// One file of the page.
macro_rules! file {
    ($path:literal, $kind:expr, $name:literal) => {
        Route {
            method: "GET",
            path: $path,
            access: Access::Page,
            how: How::AtOnce(|_, _| Ok(Reply::text($kind, include_str!(concat!("ui/", $name))))),
            summary: "A file of the page",
            takes: &[],
        }
    };
}

/// The page's files.
pub(super) const ROUTES: &[Route] = &[
    file!("/", HTML, "index.html"),
    file!("/ui/tokens.css", STYLE, "tokens.css"),
    file!("/ui/base.css", STYLE, "base.css"),
    file!("/ui/band.css", STYLE, "band.css"),
    file!("/ui/drawer.css", STYLE, "drawer.css"),
    file!("/ui/devices.css", STYLE, "devices.css"),
    file!("/ui/overview.css", STYLE, "overview.css"),
    file!("/ui/types.css", STYLE, "types.css"),
    file!("/ui/pages.css", STYLE, "pages.css"),
    file!("/ui/address.js", SCRIPT, "address.js"),
    file!("/ui/api.js", SCRIPT, "api.js"),
    file!("/ui/app.js", SCRIPT, "app.js"),
    file!("/ui/audit.js", SCRIPT, "audit.js"),
    file!("/ui/berths.js", SCRIPT, "berths.js"),
    file!("/ui/charts.js", SCRIPT, "charts.js"),
    file!("/ui/config.js", SCRIPT, "config.js"),
    file!("/ui/dom.js", SCRIPT, "dom.js"),
    file!("/ui/drawer.js", SCRIPT, "drawer.js"),
    file!("/ui/health.js", SCRIPT, "health.js"),
    file!("/ui/keyboard.js", SCRIPT, "keyboard.js"),
    file!("/ui/labels.js", SCRIPT, "labels.js"),
    file!("/ui/line.js", SCRIPT, "line.js"),
    file!("/ui/lines.js", SCRIPT, "lines.js"),
    file!("/ui/mark.js", SCRIPT, "mark.js"),
    file!("/ui/metrics.js", SCRIPT, "metrics.js"),
    file!("/ui/occupant.js", SCRIPT, "occupant.js"),
    file!("/ui/overview.js", SCRIPT, "overview.js"),
    file!("/ui/phases.js", SCRIPT, "phases.js"),
    file!("/ui/pointer.js", SCRIPT, "pointer.js"),
    file!("/ui/port.js", SCRIPT, "port.js"),
    file!("/ui/port_table.js", SCRIPT, "port_table.js"),
    file!("/ui/river.js", SCRIPT, "river.js"),
    file!("/ui/services.js", SCRIPT, "services.js"),
    file!("/ui/stretches.js", SCRIPT, "stretches.js"),
    file!("/ui/stops.js", SCRIPT, "stops.js"),
    file!("/ui/tip.js", SCRIPT, "tip.js"),
    file!("/ui/types.js", SCRIPT, "types.js"),
    file!("/ui/undo.js", SCRIPT, "undo.js"),
    file!("/ui/world.js", SCRIPT, "world.js"),
];
