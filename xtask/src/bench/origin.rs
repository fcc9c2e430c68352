//! The origin behind every router in the benchmark, as fast as sockets go. In: what to say to a request line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// The size of the page, of the order of a small site's start page.
const PAGE_BYTES: usize = 14 * 1024;

/// Starts it; it answers until this process ends. Returns its address as an origin.
pub(super) fn start(answer: impl Fn(&str) -> Arc<[u8]> + Send + Sync + 'static) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let origin = format!("http://{}", listener.local_addr()?);
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || answer_all(connection, &*answer));
        }
    });
    Ok(origin)
}

/// One page, the same bytes for every request.
pub(super) fn page() -> Arc<[u8]> {
    let page = "x".repeat(PAGE_BYTES);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {PAGE_BYTES}\r\n\
         etag: \"8f3a2c1d\"\r\ncache-control: public, max-age=0, must-revalidate\r\n\r\n{page}"
    );
    answer.into_bytes().into()
}

/// Answers GET after GET on one connection; none of the requests has a body.
fn answer_all(connection: TcpStream, answer: &dyn Fn(&str) -> Arc<[u8]>) {
    let _ = connection.set_nodelay(true);
    let Ok(mut writer) = connection.try_clone() else { return };
    let mut reader = BufReader::new(connection);
    let (mut first, mut line) = (String::new(), String::new());
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line == "\r\n" => {
                if writer.write_all(&answer(&first)).is_err() {
                    return;
                }
                first.clear();
            }
            Ok(_) if first.is_empty() => std::mem::swap(&mut first, &mut line),
            Ok(_) => {}
        }
    }
}
