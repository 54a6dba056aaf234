//! Compresses the page's files, so that they lie in the program as a browser takes them.
//!
//! Which of them go into the program, `src/http/ui.rs` says; one that it names and that is not here ends
//! the build there.

use flate2::{Compression, write::GzEncoder};
use std::{
    fs,
    io::{self, Write},
    path::Path,
};

const PAGE: &str = "src/http/ui";

/// Writes each file of the page into `page` of that folder, with `.gz` behind its name. The same file
/// becomes the same bytes at any time, as nothing but its content goes into them.
pub(super) fn compress(folder: &Path) -> Result<(), String> {
    println!("cargo:rerun-if-changed={PAGE}");
    let folder = folder.join("page");
    // Else a file that is gone would go on being found.
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", folder.display()));
        }
        Ok(()) | Err(_) => {}
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in fs::read_dir(PAGE).map_err(|error| format!("{PAGE}: {error}"))? {
        let path = entry.map_err(|error| format!("{PAGE}: {error}"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        compress_file(&path, &folder.join(format!("{name}.gz")))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn compress_file(file: &Path, into: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&fs::read(file)?)?;
    fs::write(into, encoder.finish()?)
}
