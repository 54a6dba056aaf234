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
    file!("/ui/announcements.js", SCRIPT, "announcements.js"),
    file!("/ui/api.js", SCRIPT, "api.js"),
    file!("/ui/app.js", SCRIPT, "app.js"),
    file!("/ui/audit.js", SCRIPT, "audit.js"),
    file!("/ui/audit_filters.js", SCRIPT, "audit_filters.js"),
    file!("/ui/audit_row.js", SCRIPT, "audit_row.js"),
    file!("/ui/audit_sentence.js", SCRIPT, "audit_sentence.js"),
    file!("/ui/automatic_ranges.js", SCRIPT, "automatic_ranges.js"),
    file!("/ui/band.js", SCRIPT, "band.js"),
    file!("/ui/berths.js", SCRIPT, "berths.js"),
    file!("/ui/charts.js", SCRIPT, "charts.js"),
    file!("/ui/config.js", SCRIPT, "config.js"),
    file!("/ui/config_editor.js", SCRIPT, "config_editor.js"),
    file!("/ui/config_effective.js", SCRIPT, "config_effective.js"),
    file!("/ui/config_paper.js", SCRIPT, "config_paper.js"),
    file!("/ui/config_verdict.js", SCRIPT, "config_verdict.js"),
    file!("/ui/connection.js", SCRIPT, "connection.js"),
    file!("/ui/dom.js", SCRIPT, "dom.js"),
    file!("/ui/drawer.js", SCRIPT, "drawer.js"),
    file!("/ui/drawer_head.js", SCRIPT, "drawer_head.js"),
    file!("/ui/ended.js", SCRIPT, "ended.js"),
    file!("/ui/health.js", SCRIPT, "health.js"),
    file!("/ui/instance_row.js", SCRIPT, "instance_row.js"),
    file!("/ui/instances.js", SCRIPT, "instances.js"),
    file!("/ui/keyboard.js", SCRIPT, "keyboard.js"),
    file!("/ui/keys.js", SCRIPT, "keys.js"),
    file!("/ui/labels.js", SCRIPT, "labels.js"),
    file!("/ui/line.js", SCRIPT, "line.js"),
    file!("/ui/lines.js", SCRIPT, "lines.js"),
    file!("/ui/log.js", SCRIPT, "log.js"),
    file!("/ui/log_line.js", SCRIPT, "log_line.js"),
    file!("/ui/mark.js", SCRIPT, "mark.js"),
    file!("/ui/metrics.js", SCRIPT, "metrics.js"),
    file!("/ui/metrics_charts.js", SCRIPT, "metrics_charts.js"),
    file!("/ui/metrics_memory.js", SCRIPT, "metrics_memory.js"),
    file!("/ui/metrics_period.js", SCRIPT, "metrics_period.js"),
    file!("/ui/metrics_range_use.js", SCRIPT, "metrics_range_use.js"),
    file!("/ui/occupant.js", SCRIPT, "occupant.js"),
    file!("/ui/origin.js", SCRIPT, "origin.js"),
    file!("/ui/overview.js", SCRIPT, "overview.js"),
    file!("/ui/phase_strip.js", SCRIPT, "phase_strip.js"),
    file!("/ui/phases.js", SCRIPT, "phases.js"),
    file!("/ui/pointer.js", SCRIPT, "pointer.js"),
    file!("/ui/port.js", SCRIPT, "port.js"),
    file!("/ui/port_table.js", SCRIPT, "port_table.js"),
    file!("/ui/range_axis.js", SCRIPT, "range_axis.js"),
    file!("/ui/range_verdict.js", SCRIPT, "range_verdict.js"),
    file!("/ui/reason.js", SCRIPT, "reason.js"),
    file!("/ui/river.js", SCRIPT, "river.js"),
    file!("/ui/row_window.js", SCRIPT, "row_window.js"),
    file!("/ui/services.js", SCRIPT, "services.js"),
    file!("/ui/stop_question.js", SCRIPT, "stop_question.js"),
    file!("/ui/stops.js", SCRIPT, "stops.js"),
    file!("/ui/stretches.js", SCRIPT, "stretches.js"),
    file!("/ui/tip.js", SCRIPT, "tip.js"),
    file!("/ui/type_editor.js", SCRIPT, "type_editor.js"),
    file!("/ui/type_removal.js", SCRIPT, "type_removal.js"),
    file!("/ui/type_review.js", SCRIPT, "type_review.js"),
    file!("/ui/types.js", SCRIPT, "types.js"),
    file!("/ui/undo.js", SCRIPT, "undo.js"),
    file!("/ui/world.js", SCRIPT, "world.js"),
];
