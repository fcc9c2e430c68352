//! HTTP/1.1 as it stands on the wire. Every byte becomes one character, so nothing is lost and nothing normalised.

use std::io::{self, BufRead, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The first line and the headers of a request or an answer.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// `GET / HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub first_line: String,
    /// Names and values in their order, values without the blanks around them.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Reads one; `None` when the peer closed the connection before its first byte.
    ///
    /// # Errors
    /// When the connection ends or breaks half way.
    pub fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first_line) = line(reader)? else { return Ok(None) };
        let mut head = Self { first_line, headers: Vec::new() };
        loop {
            let line = line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                return Ok(Some(head));
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            head.headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Hands over the body piece by piece as it arrives. Without a length or chunks there is none, unless it lasts
    /// `to_the_end` of the connection.
    ///
    /// # Errors
    /// When the connection breaks or the framing is wrong.
    pub fn read_body(
        &self,
        reader: &mut impl BufRead,
        to_the_end: bool,
        mut arrived: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let chunked = self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
        if !chunked {
            let length = self.header("content-length").map(|text| text.parse());
            let length = length.transpose().map_err(|_| io::ErrorKind::InvalidData)?;
            return match length {
                Some(length) => exactly(reader, length, &mut arrived),
                None if to_the_end => pass(reader, &mut arrived).map(drop),
                None => Ok(()),
            };
        }
        loop {
            let size = line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let size = size.split(';').next().unwrap_or_default().trim().to_owned();
            let size = u64::from_str_radix(&size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            exactly(reader, size, &mut arrived)?;
            // After a chunk its line's end; after the last one the end of the (empty) trailer.
            line(reader)?;
            if size == 0 {
                return Ok(());
            }
        }
    }
}

/// Writes until the peer takes no more for half a second, or `most` bytes are gone; how many went.
pub fn fill(mut stream: &TcpStream, most: usize) -> usize {
    const STUCK: Duration = Duration::from_millis(500);
    let before = stream.write_timeout().unwrap_or_default();
    let _ = stream.set_write_timeout(Some(STUCK));
    let (piece, mut written) = ([b'x'; 64 * 1024], 0);
    while written < most {
        match stream.write(&piece[..piece.len().min(most - written)]) {
            Ok(length) if length > 0 => written += length,
            Ok(_) | Err(_) => break,
        }
    }
    let _ = stream.set_write_timeout(before);
    written
}

/// The first header of that name, in any case.
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    while bytes.last().is_some_and(|byte| [b'\r', b'\n'].contains(byte)) {
        bytes.pop();
    }
    Ok(Some(bytes.into_iter().map(char::from).collect()))
}

fn exactly(reader: &mut impl BufRead, length: u64, arrived: &mut impl FnMut(&[u8])) -> io::Result<()> {
    let read = pass(&mut reader.take(length), arrived)?;
    if read == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn pass(reader: &mut impl BufRead, arrived: &mut impl FnMut(&[u8])) -> io::Result<u64> {
    let mut total = 0;
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(total);
        }
        arrived(bytes);
        let length = bytes.len();
        reader.consume(length);
        total += length as u64;
    }
}
