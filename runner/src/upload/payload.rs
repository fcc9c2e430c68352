//! One upload's body: assets in, JSON out, piece by piece. Whatever the size of a site, no file is ever held whole.
//!
//! `[{"key":…,"value":<base64>,"metadata":{"contentType":…},"base64":true},…]`, and each file hashed once more on its way: one
//! that changed since would be stored under a wrong key, for every later deployment. Then the body breaks off, and the
//! store gets no JSON.

use std::fs::File;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use super::files::{FilesError, unreadable};
use super::hash::Hasher;
use super::{Asset, mime};

/// What is read of a file at once: a multiple of three, so that the pieces' base64 joins up without padding between them.
const PIECE: usize = 3 * 32 * 1024;
/// What is sent at once, at least: a site of tiny files is no site of tiny packets.
const SENT_AT_ONCE: usize = 64 * 1024;

/// The body of one upload.
pub(super) struct Payload<'a> {
    assets: Vec<&'a Asset>,
    failure: Mutex<Option<FilesError>>,
}

impl<'a> Payload<'a> {
    pub(super) const fn new(assets: Vec<&'a Asset>) -> Self {
        Self { assets, failure: Mutex::new(None) }
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> u64 {
        let brackets = 2 + self.assets.len().saturating_sub(1) as u64;
        let item =
            |asset: &&Asset| head(asset).len() as u64 + asset.size.div_ceil(3) * 4 + tail(asset).len() as u64;
        brackets + self.assets.iter().map(item).sum::<u64>()
    }

    /// Reads it from the beginning; `read` is told each time how many more bytes of files are on their way.
    pub(super) fn reader(&'a self, read: &'a (dyn Fn(u64) + Sync)) -> Reader<'a> {
        Reader { payload: self, next: 0, open: None, ended: false, buffer: Vec::new(), at: 0, read }
    }

    /// Whether a file could not be read as it was hashed.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.lock().is_ok_and(|failure| failure.is_some())
    }

    /// Why not.
    pub(super) fn into_failure(self) -> Option<FilesError> {
        self.failure.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A [`Payload`] as it is sent.
pub(super) struct Reader<'a> {
    payload: &'a Payload<'a>,
    next: usize,
    open: Option<Open<'a>>,
    ended: bool,
    buffer: Vec<u8>,
    at: usize,
    read: &'a (dyn Fn(u64) + Sync),
}

struct Open<'a> {
    asset: &'a Asset,
    file: File,
    hasher: Hasher,
    read: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            while self.buffer.len() < SENT_AT_ONCE && !self.ended {
                if let Err(error) = self.more() {
                    let broken = std::io::Error::other(error.to_string());
                    *self.payload.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return Err(broken);
                }
            }
        }
        let mut left = self.buffer.get(self.at..).unwrap_or_default();
        let read = left.read(out)?;
        self.at += read;
        Ok(read)
    }
}

impl Reader<'_> {
    fn more(&mut self) -> Result<(), FilesError> {
        let Some(open) = &mut self.open else { return self.open_next() };
        let Asset { file, path, size, key } = open.asset;
        let changed = || FilesError::Changed { path: file.clone() };
        let mut piece = Vec::with_capacity(PIECE);
        let read = open.file.by_ref().take(PIECE as u64).read_to_end(&mut piece);
        let read = read.map_err(|source| unreadable(file, source))? as u64;
        open.read += read;
        if open.read > *size {
            return Err(changed());
        }
        if read > 0 {
            self.buffer.extend(open.hasher.update(&piece).as_bytes());
            (self.read)(read);
            return Ok(());
        }
        let whole = open.read == *size && open.hasher.key(path) == *key;
        self.buffer.extend(tail(open.asset).into_bytes());
        self.open = None;
        if whole { Ok(()) } else { Err(changed()) }
    }

    fn open_next(&mut self) -> Result<(), FilesError> {
        self.buffer.push(if self.next == 0 { b'[' } else { b',' });
        let Some(asset) = self.payload.assets.get(self.next).copied() else {
            // There is no comma after the last one; without any, the bracket stands already.
            if self.next > 0 {
                self.buffer.pop();
            }
            self.buffer.push(b']');
            self.ended = true;
            return Ok(());
        };
        let file = File::open(&asset.file).map_err(|source| unreadable(&asset.file, source))?;
        self.buffer.extend(head(asset).into_bytes());
        self.open = Some(Open { asset, file, hasher: Hasher::default(), read: 0 });
        self.next += 1;
        Ok(())
    }
}

/// Keys are hexadecimal and types come from a table: nothing in them has to be escaped.
fn head(asset: &Asset) -> String {
    format!(r#"{{"key":"{}","value":""#, asset.key)
}

fn tail(asset: &Asset) -> String {
    format!(r#"","metadata":{{"contentType":"{}"}},"base64":true}}"#, mime::content_type(&asset.path))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::*;

    fn asset(directory: &tempfile::TempDir, name: &str, content: &[u8]) -> Asset {
        let file = directory.path().join(name);
        std::fs::write(&file, content).unwrap();
        let mut hasher = Hasher::default();
        hasher.update(content);
        let path = format!("/{name}");
        let key = hasher.key(&path);
        Asset { file, path, size: content.len() as u64, key }
    }

    #[test]
    fn the_body_is_the_json_that_wrangler_sends_and_as_long_as_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let contents: [Vec<u8>; 6] =
            [vec![], vec![1], vec![2; 2], vec![3; PIECE], vec![4; PIECE + 1], vec![5; 3 * PIECE - 1]];
        let assets: Vec<Asset> = contents
            .iter()
            .enumerate()
            .map(|(number, content)| asset(&directory, &format!("{number}.html"), content))
            .collect();
        for count in 0..=assets.len() {
            let payload = Payload::new(assets.iter().take(count).collect());
            let told = AtomicU64::new(0);
            let mut body = Vec::new();
            let tell = |read| {
                told.fetch_add(read, Ordering::Relaxed);
            };
            payload.reader(&tell).read_to_end(&mut body).unwrap();
            assert_eq!(body.len() as u64, payload.length(), "{count} files");
            let expected: Vec<Value> = assets
                .iter()
                .zip(&contents)
                .take(count)
                .map(|(asset, content)| {
                    json!({ "key": asset.key, "value": STANDARD.encode(content),
                            "metadata": { "contentType": "text/html" }, "base64": true })
                })
                .collect();
            assert_eq!(serde_json::from_slice::<Vec<Value>>(&body).unwrap(), expected);
            assert_eq!(told.into_inner(), contents.iter().take(count).map(|it| it.len() as u64).sum::<u64>());
        }
    }

    #[test]
    fn a_file_that_changed_since_it_was_hashed_breaks_the_body_off() {
        let directory = tempfile::tempdir().unwrap();
        let before = vec![b'x'; PIECE + 10];
        for after in [&before[1..], &[before.as_slice(), b"y"].concat(), &vec![b'y'; before.len()], b""] {
            let asset = asset(&directory, "a.txt", &before);
            std::fs::write(&asset.file, after).unwrap();
            let payload = Payload::new(vec![&asset]);
            let mut body = Vec::new();
            payload.reader(&|_| ()).read_to_end(&mut body).unwrap_err();
            assert!(serde_json::from_slice::<Value>(&body).is_err(), "it must be no JSON");
            assert!(payload.has_failed());
            assert!(
                matches!(payload.into_failure(), Some(FilesError::Changed { .. })),
                "{} bytes",
                after.len()
            );
        }
    }
}
