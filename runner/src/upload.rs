//! A directory in, a Pages deployment out: Cloudflare's Direct Upload, as `wrangler pages deploy` does it.
//!
//! `scan → hash → token → check-missing → upload → upsert-hashes → create deployment`, a plain procedure around pure
//! functions. Everything that can be refused is refused before the first byte is sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cloudflare::Cloudflare;
use crate::retry::{Policy, retry};

mod buckets;
mod create;
mod error;
mod extras;
mod files;
mod form;
mod hash;
mod live;
mod mime;
mod progress;
mod store;
mod token;

pub use crate::cloudflare::pages::Deployment;
pub use error::Error;
pub use files::FilesError;
pub use live::wait_until_live;
pub use progress::Progress;

/// The most a short call may take, retries included.
const CALL_WITHIN: Duration = Duration::from_secs(60);
/// How many uploads are in flight at once; wrangler's number.
const CONCURRENCY: usize = 3;

/// What to upload where.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    /// The build's output.
    pub directory: &'a Path,
    /// The Pages project.
    pub project: &'a str,
    /// The branch it is labelled with; `None` is the project's production branch.
    pub branch: Option<&'a str>,
    /// What the dashboard shows; must be unique, because it tells whether a lost answer had created the deployment.
    pub message: &'a str,
}

/// One file of the output, ready to be uploaded.
#[derive(Clone, Debug)]
struct Asset {
    file: PathBuf,
    /// Its path in the manifest, with a slash in front.
    path: String,
    size: u64,
    /// What the asset store knows it by.
    key: String,
}

/// A build's output, read and hashed.
#[derive(Debug)]
pub struct Output {
    assets: Vec<Asset>,
    extras: extras::Extras,
}

impl Output {
    /// Reads a directory.
    ///
    /// # Errors
    /// [`Error::Files`].
    pub fn read(directory: &Path, progress: &(dyn Fn(Progress) + Sync)) -> Result<Self, Error> {
        let site = files::scan(directory)?;
        progress(Progress::Scanned {
            files: site.assets.len(),
            bytes: site.assets.iter().map(|asset| asset.size).sum(),
        });
        Ok(Self { assets: hash::keys(site.assets)?, extras: site.extras })
    }
}

/// Refuses a directory that could not be uploaded. Nothing is sent.
///
/// # Errors
/// [`Error::Files`].
pub fn check(directory: &Path) -> Result<(), Error> {
    files::scan(directory)?;
    Ok(())
}

/// Uploads a directory and makes a deployment of it.
///
/// # Errors
/// See [`Error`]. Nothing was sent when it is [`Error::Files`].
pub fn deploy(
    client: &Cloudflare,
    upload: &Upload<'_>,
    cancelled: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Deployment, Error> {
    let output = Output::read(upload.directory, progress)?;
    deploy_output(client, &output, upload, cancelled, progress)
}

/// Uploads what was read before: to several projects, it is read and hashed once.
///
/// # Errors
/// See [`Error`].
pub fn deploy_output(
    client: &Cloudflare,
    output: &Output,
    upload: &Upload<'_>,
    cancelled: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Deployment, Error> {
    let Output { assets, extras } = output;
    let within = Policy::within(CALL_WITHIN);
    let ask = |left| client.project(upload.project, left);
    retry(within, cancelled, ask).map_err(Error::doing("read the Pages project"))?;
    let token = token::Token::fetch(client, upload.project, cancelled)?;
    files::check_count(assets.len(), token.files_max())?;
    if cancelled() {
        return Err(Error::Cancelled);
    }
    store::store(client, assets, &token, cancelled, progress)?;
    if cancelled() {
        return Err(Error::Cancelled);
    }
    create::create(client, upload, assets, extras, cancelled)
}
