//! `cargo xtask picture`: the demo as people see it in a terminal, as the picture of the README.

use std::io::Read as _;
use std::process::{Command, Stdio};

use anstyle_svg::Term;

use crate::root;
use crate::step::{Failed, say};

/// Where it is kept.
const PICTURE: &str = "docs/demo.svg";
/// What the picture begins with: the release that is rolled back. The whole demo is too long to be looked at.
const FROM: &str = "── 1.3.0";

/// Runs the demo and draws its last release and its table.
///
/// # Errors
/// When the demo fails, or the picture cannot be written.
pub(crate) fn run() -> Result<(), Failed> {
    let failed = |why: &dyn std::fmt::Display| Failed::new("the picture", why);
    let itself = std::env::current_exe().map_err(|error| failed(&error))?;
    say("-> the demo, about two minutes");
    // One pipe for both streams, so that lines come in the order in which a terminal would show them.
    let (mut screen, lines) = std::io::pipe().map_err(|error| failed(&error))?;
    let mut demo = Command::new(itself);
    demo.arg("demo").envs([("CLICOLOR_FORCE", "1"), ("CI", "1")]).env_remove("NO_COLOR").stdin(Stdio::null());
    demo.stdout(lines.try_clone().map_err(|error| failed(&error))?).stderr(lines);
    let mut running = demo.spawn().map_err(|error| failed(&error))?;
    // It holds the pipe's other end, and reading would never be over.
    drop(demo);
    let mut printed = String::new();
    screen.read_to_string(&mut printed).map_err(|error| failed(&error))?;
    if !running.wait().is_ok_and(|status| status.success()) {
        return Err(failed(&format!("the demo failed:\n{printed}")));
    }
    let shown = printed.find(FROM).and_then(|from| printed.get(from..));
    let shown = shown.ok_or_else(|| failed(&format!("the demo printed no `{FROM}`")))?;
    let path = root().join(PICTURE);
    // Where this copy of the project happens to lie is nobody's business.
    let shown = shown.replace(&root().display().to_string(), "~/crossfade");
    let picture = Term::new().render_svg(&format!("$ cargo xtask demo\n…\n{}", shown.trim_end()));
    std::fs::create_dir_all(root().join("docs")).map_err(|error| failed(&error))?;
    std::fs::write(&path, picture).map_err(|error| failed(&error))?;
    say(format_args!("   {}", path.display()));
    Ok(())
}
