//! Puts the built router into the program, if there is one: `cargo xtask build-worker` leaves it in `bundle/`, and a package that is
//! published carries it. Nothing is compiled for it, and nothing is built anew while it stays as it is.

use std::env::var_os;
use std::fmt::Write as _;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=bundle");
    let directory = var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default().join("bundle");
    let mut modules = String::new();
    for name in include_str!("src/router/modules.txt").lines() {
        let path = directory.join(name);
        if path.is_file() {
            // It says what it is about: a file that cannot be read is a compiler's error with its path.
            let _ = writeln!(modules, "    ({name:?}, include_bytes!({:?})),", path.display().to_string());
        }
    }
    let text = format!(
        "/// The modules that were there when this program was built.\nconst EMBEDDED: &[(&str, &[u8])] = &[\n{modules}];\n"
    );
    std::fs::write(var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default().join("bundle.rs"), text)
}
