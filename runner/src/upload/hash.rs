//! What the asset store knows a file by: the first 32 hex digits of BLAKE3 over the file's base64 and its extension
//! (<https://github.com/cloudflare/workers-sdk/blob/main/packages/wrangler/src/pages/hash.ts>).

use std::io::Read as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Asset;
use super::files::{self, FilesError, Found};

/// The keys of all files, hashed on all processors.
pub(super) fn keys(found: Vec<Found>) -> Result<Vec<Asset>, FilesError> {
    let next = AtomicUsize::new(0);
    let hashed: Mutex<Vec<(usize, Result<String, FilesError>)>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(found.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(file) = found.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let key = key_of_file(&file.file, &file.path);
                    let failed = key.is_err();
                    if let Ok(mut hashed) = hashed.lock() {
                        hashed.push((file.index, key));
                    }
                    if failed {
                        return;
                    }
                }
            });
        }
    });
    let mut hashed = hashed.into_inner().unwrap_or_default();
    hashed.sort_by_key(|(index, _)| *index);
    let keys = hashed.into_iter().map(|(_, key)| key).collect::<Result<Vec<_>, _>>()?;
    Ok(found
        .into_iter()
        .zip(keys)
        .map(|(found, key)| Asset { file: found.file, path: found.path, size: found.size, key })
        .collect())
}

fn key_of_file(file: &Path, path: &str) -> Result<String, FilesError> {
    // A multiple of three, so that the pieces' base64 joins up without padding between them.
    const PIECE: usize = 3 * 64 * 1024;
    let mut hasher = Hasher::default();
    let mut reader = std::fs::File::open(file).map_err(|source| files::unreadable(file, source))?;
    let mut piece = Vec::with_capacity(PIECE);
    loop {
        piece.clear();
        let read = reader.by_ref().take(PIECE as u64).read_to_end(&mut piece);
        if read.map_err(|source| files::unreadable(file, source))? == 0 {
            break;
        }
        hasher.update(&piece);
    }
    Ok(hasher.key(path))
}

/// A file's content in, piece by piece, its key out.
#[derive(Default)]
pub(super) struct Hasher {
    inner: blake3::Hasher,
    base64: String,
}

impl Hasher {
    /// Takes a piece and says its base64. All pieces but the last have a length that is a multiple of three.
    pub(super) fn update(&mut self, piece: &[u8]) -> &str {
        self.base64.clear();
        STANDARD.encode_string(piece, &mut self.base64);
        self.inner.update(self.base64.as_bytes());
        &self.base64
    }

    /// The key of all that was taken, as the file of a path.
    pub(super) fn key(&self, path: &str) -> String {
        let mut inner = self.inner.clone();
        inner.update(extension(path).as_bytes());
        inner.finalize().to_hex().chars().take(32).collect()
    }
}

/// Node's `path.extname` without its dot: nothing for `.htaccess` and for `name.`, the case kept.
fn extension(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension,
        Some(_) | None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with wrangler's own blake3-wasm.
    #[test]
    fn keys_are_those_that_wrangler_computes() {
        let hello = b"Hello, World!\n".as_slice();
        let all: Vec<u8> = (0..=255).collect();
        let big: Vec<u8> = (0..1_048_576_u32).map(|i| u8::try_from((i * 31 + 7) & 255).unwrap()).collect();
        for (name, content, key) in [
            ("/index.html", hello, "66bc9692ae134d940e063b18c9b6a699"),
            ("/dir/index.HTML", hello, "e02785f39851308ad4edd74ce800f624"),
            ("/LICENSE", hello, "f2f70ba497b82b11ff949b93f160f7ca"),
            ("/.htaccess", hello, "f2f70ba497b82b11ff949b93f160f7ca"),
            ("/foo.", hello, "f2f70ba497b82b11ff949b93f160f7ca"),
            ("/a.tar.gz", hello, "3ee8dc2d82a0dfc5d31f050ae49bb12b"),
            ("/empty.html", b"".as_slice(), "bc88d1b19523ba52d6a2959dd93cf9c8"),
            ("/EMPTY", b"".as_slice(), "af1349b9f5f9a1a6a0404dea36dcc949"),
            ("/css/app.css", b"body{color:red}".as_slice(), "a1e60d295449511896a3679447c6cae3"),
            ("/all256.bin", all.as_slice(), "04c51b7bb2984817f8bb7099dde4021f"),
            ("/big1MiB.dat", big.as_slice(), "5a0570b236bfb86d76a32c80b7be49ce"),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), content).unwrap();
            assert_eq!(key_of_file(file.path(), name).unwrap(), key, "{name}");
        }
    }

    #[test]
    fn each_file_gets_its_own_key_however_long_the_others_take() {
        let directory = tempfile::tempdir().unwrap();
        let found: Vec<Found> = (0..40_usize)
            .map(|index| {
                let (file, path) = (directory.path().join(format!("{index}.html")), format!("/{index}.html"));
                let content = vec![u8::try_from(index).unwrap(); if index % 20 == 0 { 4 << 20 } else { 1 }];
                std::fs::write(&file, &content).unwrap();
                Found { index, file, path, size: content.len() as u64 }
            })
            .collect();
        for asset in keys(found).unwrap() {
            assert_eq!(asset.key, key_of_file(&asset.file, &asset.path).unwrap(), "{}", asset.path);
        }
    }
}
