//! Assets in, all of them in the asset store.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::payload::Payload;
use super::progress::Tally;
use super::token::Token;
use super::{Asset, CALL_WITHIN, CONCURRENCY, Error, Progress, buckets};
use crate::cloudflare::Cloudflare;

/// The most the upload of all assets may take.
const UPLOAD_WITHIN: Duration = Duration::from_secs(30 * 60);
/// What one try of one upload may take: this and a second for every [`SLOWEST`] bytes. A connection that is slower is as good as none.
const TRY_WITHIN: Duration = Duration::from_secs(60);
/// Bytes a second.
const SLOWEST: u64 = 64 * 1024;

/// A site's assets, each once however many files have its content.
pub(super) struct Assets<'a>(BTreeMap<&'a str, &'a Asset>);

impl<'a> Assets<'a> {
    pub(super) fn new(assets: &'a [Asset]) -> Self {
        Self(assets.iter().map(|asset| (asset.key.as_str(), asset)).collect())
    }

    fn keys(&self) -> Vec<&'a str> {
        self.0.keys().copied().collect()
    }

    pub(super) fn all(&self) -> Vec<&'a Asset> {
        self.0.values().copied().collect()
    }

    /// Those that the store does not have; with `skip_caching` all, and nobody is asked.
    pub(super) fn to_send(
        &self,
        client: &Cloudflare,
        token: &Token<'_>,
        skip_caching: bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<&'a Asset>, Error> {
        if skip_caching {
            return Ok(self.all());
        }
        let keys = self.keys();
        let missing = token
            .with(cancelled, CALL_WITHIN, |jwt, left| client.missing_assets(jwt, &keys, left))
            .map_err(|error| error.or("ask which assets are missing"))?;
        Ok(missing.iter().filter_map(|key| self.0.get(key.as_str()).copied()).collect())
    }
}

/// Puts all assets into the asset store; `skip_caching` also those that it has.
pub(super) fn store(
    client: &Cloudflare,
    files: &[Asset],
    token: &Token<'_>,
    skip_caching: bool,
    cancelled: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), Error> {
    let assets = Assets::new(files);
    let new = assets.to_send(client, token, skip_caching, cancelled)?;
    upload(client, &new, token, cancelled, progress)?;
    // A failure here costs the next upload some time and nothing else; wrangler too only warns.
    let keys = assets.keys();
    let noted =
        token.with(cancelled, CALL_WITHIN, |jwt, left| client.upsert_hashes(jwt, &keys, left)).is_ok();
    progress(Progress::Stored { files: files.len(), new: new.len(), noted });
    Ok(())
}

fn upload(
    client: &Cloudflare,
    assets: &[&Asset],
    token: &Token<'_>,
    cancelled: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), Error> {
    let sizes: Vec<u64> = assets.iter().map(|asset| asset.size).collect();
    let tally = Tally::new(sizes.iter().sum(), assets.len(), progress);
    let packed = buckets::pack(&sizes);
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<Error>> = Mutex::new(None);
    let stop = || cancelled() || failure.lock().is_ok_and(|failure| failure.is_some());
    let deadline = Instant::now() + UPLOAD_WITHIN;
    let work = || {
        while let Some(bucket) = packed.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !stop()) {
            let members = bucket.iter().filter_map(|index| assets.get(*index).copied()).collect();
            if let Err(error) = upload_bucket(client, members, token, &stop, deadline, &tally)
                && let Ok(mut failure) = failure.lock()
            {
                failure.get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..CONCURRENCY.min(packed.len()) {
            scope.spawn(work);
        }
    });
    match failure.into_inner() {
        _ if cancelled() => Err(Error::Cancelled),
        Ok(Some(error)) => Err(error),
        Ok(None) | Err(_) => Ok(()),
    }
}

fn upload_bucket(
    client: &Cloudflare,
    assets: Vec<&Asset>,
    token: &Token<'_>,
    stop: &dyn Fn() -> bool,
    deadline: Instant,
    tally: &Tally<'_>,
) -> Result<(), Error> {
    let files = assets.len();
    let payload = Payload::new(assets);
    let length = payload.length();
    let try_within = TRY_WITHIN + Duration::from_secs(length / SLOWEST);
    let stop = || stop() || payload.has_failed();
    let left = deadline.saturating_duration_since(Instant::now());
    let uploaded = token.with(&stop, left, |jwt, left| {
        let sent = AtomicU64::new(0);
        let tell = |bytes| {
            sent.fetch_add(bytes, Ordering::Relaxed);
            tally.sent(bytes);
        };
        let uploaded = client.upload_assets(jwt, length, &mut payload.reader(&tell), left.min(try_within));
        if uploaded.is_err() {
            tally.lost(sent.load(Ordering::Relaxed));
        }
        uploaded
    });
    match (uploaded, payload.into_failure()) {
        (_, Some(failure)) => Err(failure.into()),
        (Err(error), None) => Err(error.or("upload assets")),
        (Ok(()), None) => {
            tally.stored(files);
            Ok(())
        }
    }
}
