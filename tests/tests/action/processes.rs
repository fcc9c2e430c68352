//! Which processes a job has, found as the runner finds them: by a variable that all of them inherit.

use std::path::Path;

use crossfade_tests::crossfade;
use rustix::process::Pid;

/// The processes of the program under test that have this in their environment.
pub(crate) fn programs_with(variable: &str) -> Vec<Pid> {
    let program = std::fs::canonicalize(crossfade().get_program()).unwrap();
    let runs_it = |pid: &Pid| {
        std::fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero())).is_ok_and(|path| path == program)
    };
    processes_with(variable).into_iter().filter(runs_it).collect()
}

/// The processes that have this in their environment, whoever started them.
pub(crate) fn processes_with(variable: &str) -> Vec<Pid> {
    let processes = Path::new("/proc").read_dir().unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    processes
        .filter_map(|process| {
            let environment = std::fs::read(process.join("environ")).ok()?;
            let has = environment.split(|byte| *byte == 0).any(|it| it == variable.as_bytes());
            let number = process.file_name()?.to_str()?.parse().ok()?;
            if has { Pid::from_raw(number) } else { None }
        })
        .collect()
}
