//! A directory in, a Pages deployment out: Cloudflare's Direct Upload, as `wrangler pages deploy` does it.
//!
//! `scan → hash → token → check-missing → upload → upsert-hashes → create deployment`, a plain procedure around pure
//! functions. Everything that can be refused is refused before the first byte is sent, and an upload that was cut off is
//! taken up by doing it again: what the store has is not sent twice.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cloudflare::Cloudflare;
use crate::cloudflare::pages::Project;
use crate::retry::{Policy, make, retry};

mod buckets;
mod create;
mod error;
mod extras;
mod files;
mod form;
mod functions;
mod hash;
mod live;
mod mime;
mod payload;
mod progress;
mod store;
mod token;

pub use crate::cloudflare::pages::Deployment;
pub use error::Error;
pub use files::FilesError;
pub use live::wait_until_live;
pub(crate) use progress::Bytes;
pub use progress::Progress;

use token::Token;

/// The most a short call may take, retries included.
const CALL_WITHIN: Duration = Duration::from_secs(60);
/// How many uploads are in flight at once; wrangler's number.
const CONCURRENCY: usize = 3;

/// What to make of an [`Output`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Upload<'a> {
    /// The Pages project.
    pub project: &'a str,
    /// The branch it is labelled with; `None` is the project's production branch.
    pub branch: Option<&'a str>,
    /// What it is made from.
    pub commit: Commit<'a>,
    /// Sends also what the asset store has.
    pub skip_caching: bool,
    /// Makes the project when there is none, with this production branch.
    pub create_project: Option<&'a str>,
}

/// What a deployment is made from, as the dashboard shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Commit<'a> {
    /// A text; a release's is its own, and tells whether a lost answer had created the deployment.
    pub message: Option<&'a str>,
    /// The commit.
    pub hash: Option<&'a str>,
    /// Whether there is more in it than in the commit.
    pub dirty: Option<bool>,
}

/// What an upload would come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Files of the deployment.
    pub files: usize,
    /// Those that would be sent, each content once.
    pub new: usize,
    /// How large these are together.
    pub new_bytes: u64,
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
    /// Reads a directory. `project` is where the site is built: its `functions/` are compiled.
    ///
    /// # Errors
    /// [`Error::Files`].
    pub fn read(
        directory: &Path,
        project: &Path,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, Error> {
        let site = files::scan(directory, project)?;
        progress(Progress::Scanned {
            files: site.assets.len(),
            bytes: site.assets.iter().map(|asset| asset.size).sum(),
        });
        Ok(Self { extras: site.extras.compiled(project)?, assets: hash::keys(site.assets)? })
    }

    /// What would have to be sent. Nothing is, and no project is made.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn plan(
        &self,
        client: &Cloudflare,
        upload: &Upload<'_>,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Plan, Error> {
        let assets = store::Assets::new(&self.assets);
        let new = match (Token::fetch(client, upload.project, cancelled), upload.create_project) {
            // A project that is yet to be made has nothing.
            (Err(Error::Cloudflare { source, .. }), Some(_)) if source.is_not_found() => assets.all(),
            (token, _) => {
                let token = token?;
                files::check_count(self.assets.len(), token.files_max())?;
                assets.to_send(client, &token, upload.skip_caching, cancelled)?
            }
        };
        let new_bytes = new.iter().map(|asset| asset.size).sum();
        Ok(Plan { files: self.assets.len(), new: new.len(), new_bytes })
    }
}

/// Refuses a directory that could not be uploaded. Nothing is sent, and nothing compiled.
///
/// # Errors
/// [`Error::Files`].
pub fn check(directory: &Path, project: &Path) -> Result<(), Error> {
    files::scan(directory, project)?;
    Ok(())
}

/// Uploads what was read, and makes a deployment of it. It can go to several projects: it is read and hashed once.
///
/// # Errors
/// See [`Error`].
pub fn deploy(
    client: &Cloudflare,
    output: &Output,
    upload: &Upload<'_>,
    cancelled: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Deployment, Error> {
    let Output { assets, extras } = output;
    let found = project(client, upload, cancelled)?;
    let token = Token::fetch(client, upload.project, cancelled)?;
    files::check_count(assets.len(), token.files_max())?;
    if cancelled() {
        return Err(Error::Cancelled);
    }
    store::store(client, assets, &token, upload.skip_caching, cancelled, progress)?;
    if cancelled() {
        return Err(Error::Cancelled);
    }
    create::create(client, upload, &found, assets, extras, cancelled)
}

/// The project as it is before, made if it may be.
fn project(client: &Cloudflare, upload: &Upload<'_>, cancelled: &dyn Fn() -> bool) -> Result<Project, Error> {
    let within = Policy::within(CALL_WITHIN);
    let read = |left| client.project(upload.project, left);
    match (retry(within, cancelled, read), upload.create_project) {
        (Err(error), Some(branch)) if error.is_not_found() => {
            let find = |left| match read(left) {
                Err(error) if error.is_not_found() => Ok(None),
                found => found.map(Some),
            };
            let create = |left| client.create_project(upload.project, branch, left);
            make(within, cancelled, find, create).map_err(Error::doing("create the Pages project"))
        }
        (found, _) => found.map_err(Error::doing("read the Pages project")),
    }
}
