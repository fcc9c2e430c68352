//! A program at a terminal of its own, and what stands on its screen.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const ROWS: NonZero<u16> = NonZero::new(30).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(110).unwrap();

/// A program that runs at a terminal; it ends with this value.
pub struct Screen {
    child: AtTerminal,
    keyboard: File,
    parser: Arc<Mutex<vt100::Parser>>,
    closed: Arc<AtomicBool>,
    reader: JoinHandle<()>,
}

impl Screen {
    /// Begins a command.
    pub fn begin(mut command: Command) -> Self {
        // Whoever inherits it keeps the terminal open.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let controller = openpt(flags).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        tcsetwinsize(
            &controller,
            Winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 },
        )
        .unwrap();
        let terminal = ioctl_tiocgptpeer(&controller, flags).unwrap();
        let end = || -> OwnedFd { terminal.try_clone().unwrap() };
        command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm-256color");
        let child = AtTerminal(command.spawn().unwrap());
        let keyboard = File::from(controller);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
        let closed = Arc::new(AtomicBool::new(false));
        let (mut output, shown, left) =
            (keyboard.try_clone().unwrap(), Arc::clone(&parser), Arc::clone(&closed));
        // It ends with the program, when nobody has the terminal any more, or when the terminal is closed.
        let reader = std::thread::spawn(move || {
            let a_moment = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            let mut bytes = [0; 4096];
            while !left.load(Ordering::Relaxed) {
                let ready = poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&a_moment)).unwrap();
                match (ready > 0).then(|| output.read(&mut bytes)) {
                    Some(Ok(count @ 1..)) => shown.lock().unwrap().process(&bytes[..count]),
                    Some(_) => return,
                    None => {}
                }
            }
        });
        Self { child, keyboard, parser, closed, reader }
    }

    /// Waits until `text` stands on the screen.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let screen = self.parser.lock().unwrap().screen().contents();
            if screen.contains(text) {
                return;
            }
            let ended = self.child.0.try_wait().unwrap().is_some();
            assert!(
                !ended && Instant::now() < deadline,
                "`{text}` is not on the screen (ended: {ended}):\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for its end; its exit code.
    pub fn end(mut self) -> i32 {
        self.child.0.wait().unwrap().code().unwrap_or(-1)
    }

    /// Closes the terminal, as somebody does whose connection breaks: no signal is sent. Its exit code, if it ends soon.
    pub fn close(self) -> Option<i32> {
        let Self { mut child, keyboard, parser: _, closed, reader } = self;
        closed.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        drop(keyboard);
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            if let Some(status) = child.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

/// What runs at a terminal.
struct AtTerminal(Child);

impl Drop for AtTerminal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
