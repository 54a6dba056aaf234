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
    file!("/ui/style.css", STYLE, "style.css"),
    file!("/ui/app.js", SCRIPT, "app.js"),
];
