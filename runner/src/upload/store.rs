//! Assets in, all of them in the asset store.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::files::{self, FilesError};
use super::{Asset, CALL_WITHIN, CONCURRENCY, Error, Progress, buckets, hash, mime, token};
use crate::cloudflare::Cloudflare;

/// The most the upload of all assets may take.
const UPLOAD_WITHIN: Duration = Duration::from_secs(30 * 60);

/// Puts all assets into the asset store.
pub(super) fn store(
    client: &Cloudflare,
    assets: &[Asset],
    token: &token::Token<'_>,
    cancelled: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), Error> {
    let unique: BTreeMap<&str, &Asset> = assets.iter().map(|asset| (asset.key.as_str(), asset)).collect();
    let keys: Vec<&str> = unique.keys().copied().collect();
    let missing = token
        .with(cancelled, CALL_WITHIN, |jwt, left| client.missing_assets(jwt, &keys, left))
        .map_err(|error| error.or("ask which assets are missing"))?;
    let to_upload: Vec<&Asset> = missing.iter().filter_map(|key| unique.get(key.as_str()).copied()).collect();
    let total: u64 = to_upload.iter().map(|asset| asset.size).sum();
    let (done, next) = (AtomicU64::new(0), AtomicUsize::new(0));
    let packed = buckets::pack(&to_upload.iter().map(|asset| asset.size).collect::<Vec<_>>());
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let deadline = Instant::now() + UPLOAD_WITHIN;
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENCY.min(packed.len()) {
            scope.spawn(|| {
                while let Some(bucket) = packed.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let failed = || failure.lock().is_ok_and(|failure| failure.is_some());
                    let stop = || cancelled() || failed();
                    if stop() {
                        return;
                    }
                    let members: Vec<&Asset> =
                        bucket.iter().filter_map(|index| to_upload.get(*index).copied()).collect();
                    let left = deadline.saturating_duration_since(Instant::now());
                    match upload_bucket(client, &members, token, &stop, left) {
                        Ok(()) => {
                            let bytes: u64 = members.iter().map(|asset| asset.size).sum();
                            let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
                            progress(Progress::Uploading { done, total });
                        }
                        Err(error) => {
                            if let Ok(mut failure) = failure.lock() {
                                failure.get_or_insert(error);
                            }
                        }
                    }
                }
            });
        }
    });
    if cancelled() {
        return Err(Error::Cancelled);
    }
    if let Ok(Some(error)) = failure.into_inner() {
        return Err(error);
    }
    // A failure here costs the next upload some time and nothing else; wrangler too only warns.
    let _ = token.with(cancelled, CALL_WITHIN, |jwt, left| client.upsert_hashes(jwt, &keys, left));
    progress(Progress::Stored { files: assets.len(), new: to_upload.len() });
    Ok(())
}

fn upload_bucket(
    client: &Cloudflare,
    assets: &[&Asset],
    token: &token::Token<'_>,
    stop: &dyn Fn() -> bool,
    within: Duration,
) -> Result<(), Error> {
    let mut payload: Vec<Value> = Vec::with_capacity(assets.len());
    for asset in assets {
        let bytes = std::fs::read(&asset.file).map_err(|source| files::unreadable(&asset.file, source))?;
        // A file that changed after it was hashed would be stored under a wrong key, for every later deployment.
        if hash::key_of_bytes(&bytes, &asset.path) != asset.key {
            return Err(FilesError::Changed { path: asset.file.clone() }.into());
        }
        payload.push(json!({
            "key": asset.key,
            "value": STANDARD.encode(&bytes),
            "metadata": { "contentType": mime::content_type(&asset.path) },
            "base64": true,
        }));
    }
    let payload = Value::from(payload).to_string();
    token
        .with(stop, within, |jwt, left| client.upload_assets(jwt, payload.as_bytes(), left))
        .map_err(|error| error.or("upload assets"))
}
