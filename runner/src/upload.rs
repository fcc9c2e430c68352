//! A directory in, a Pages deployment out: Cloudflare's Direct Upload, as `wrangler pages deploy` does it.
//!
//! `scan → hash → token → check-missing → upload → upsert-hashes → create deployment`, a plain procedure around pure
//! functions. Everything that can be refused is refused before the first byte is sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossfade_core::Span;
use serde_json::{Value, json};

use crate::cloudflare::{self, Cloudflare};
use crate::retry::{Policy, retry};

mod buckets;
mod files;
mod form;
mod hash;
mod mime;
mod token;

pub use crate::cloudflare::pages::Deployment;
pub use files::FilesError;

/// The most a short call may take, retries included.
const CALL_WITHIN: Duration = Duration::from_secs(60);
/// The most the upload of all assets may take.
const UPLOAD_WITHIN: Duration = Duration::from_secs(30 * 60);
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

/// How far an upload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The directory was read.
    Scanned {
        /// How many files.
        files: usize,
        /// How large they are together.
        bytes: u64,
    },
    /// Assets are on their way.
    Uploading {
        /// Bytes stored.
        done: u64,
        /// Bytes that were missing.
        total: u64,
    },
    /// All assets are there.
    Stored {
        /// How many files.
        files: usize,
        /// How many of them had to be uploaded.
        new: usize,
    },
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Scanned { files, bytes } => write!(f, "{files} files, {} KiB", bytes.div_ceil(1024)),
            Self::Uploading { done, total } => {
                write!(f, "{} of {} KiB uploaded", done.div_ceil(1024), total.div_ceil(1024))
            }
            Self::Stored { files, new } => write!(f, "{files} files, {new} of them new"),
        }
    }
}

/// Why there is no deployment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory is not one that Pages takes.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Cloudflare did not do it.
    #[error("cannot {doing}")]
    Cloudflare {
        /// What; follows "cannot".
        doing: &'static str,
        /// Its answer.
        source: cloudflare::Error,
    },
    /// Cloudflare's upload token makes no sense.
    #[error("Cloudflare's upload token makes no sense: {0}")]
    Token(String),
    /// The deployment was made and failed.
    #[error("deployment {id} failed at stage `{stage}`{}", line.as_deref().map_or(String::new(), |line| format!(": {line}")))]
    Failed {
        /// Its id.
        id: String,
        /// Where.
        stage: String,
        /// The last thing it logged.
        line: Option<String>,
    },
    /// The deployment was not live in time.
    #[error("deployment {id} was not live within {} (stage `{stage}`)", Span(*within))]
    NotLive {
        /// Its id.
        id: String,
        /// Where it stands.
        stage: String,
        /// How long it had.
        within: Duration,
    },
    /// Somebody cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A bug.
    #[error("internal error: the upload panicked")]
    Panicked,
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Files(error) => error.hint(),
            Self::Cloudflare { source, .. } => source.hint(),
            Self::Token(_)
            | Self::Failed { .. }
            | Self::NotLive { .. }
            | Self::Cancelled
            | Self::Panicked => None,
        }
    }

    fn doing(doing: &'static str) -> impl FnOnce(cloudflare::Error) -> Self {
        move |source| Self::Cloudflare { doing, source }
    }
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
    extras: files::Extras,
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
pub fn check(directory: &std::path::Path) -> Result<(), Error> {
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
    store(client, assets, &token, cancelled, progress)?;
    if cancelled() {
        return Err(Error::Cancelled);
    }
    create(client, upload, assets, extras, cancelled)
}

/// Puts all assets into the asset store.
fn store(
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

/// Makes the deployment. When the answer is lost, the newest deployments are looked through for our message before it is
/// tried again: a second deployment would be harmless and confusing.
fn create(
    client: &Cloudflare,
    upload: &Upload<'_>,
    assets: &[Asset],
    extras: &files::Extras,
    cancelled: &dyn Fn() -> bool,
) -> Result<Deployment, Error> {
    let manifest: BTreeMap<&str, &str> =
        assets.iter().map(|asset| (asset.path.as_str(), asset.key.as_str())).collect();
    let mut form = form::Form::new();
    form.text("manifest", &json!(manifest).to_string());
    if let Some(branch) = upload.branch {
        form.text("branch", branch);
    }
    form.text("commit_message", form::shorten(upload.message));
    form.text("commit_dirty", "true");
    for (name, bytes) in extras.parts() {
        form.file(name, &bytes);
    }
    let (content_type, body) = form.finish();
    let mut asked_before = false;
    retry(Policy { attempts_max: 3, ..Policy::within(CALL_WITHIN) }, cancelled, |left| {
        if std::mem::replace(&mut asked_before, true)
            && let Some(existing) = find(client, upload, left)
        {
            return Ok(existing);
        }
        client.create_deployment(upload.project, &content_type, &body, left)
    })
    .map_err(Error::doing("create the deployment"))
}

fn find(client: &Cloudflare, upload: &Upload<'_>, within: Duration) -> Option<Deployment> {
    let message = |deployment: &Deployment| {
        deployment.deployment_trigger.as_ref()?.metadata.as_ref()?.commit_message.clone()
    };
    let deployments = client.deployments(upload.project, within).ok()?;
    deployments
        .into_iter()
        .find(|deployment| message(deployment).as_deref() == Some(form::shorten(upload.message)))
}

/// Waits until a deployment is live: stage `deploy` with status `success`, nothing less.
///
/// # Errors
/// [`Error::Failed`] when it never will be, [`Error::NotLive`] when it took too long.
pub fn wait_until_live(
    client: &Cloudflare,
    project: &str,
    id: &str,
    within: Duration,
    wait: &dyn Fn(Duration) -> bool,
) -> Result<Deployment, Error> {
    const ASK_EVERY: Duration = Duration::from_millis(700);
    let deadline = Instant::now() + within;
    loop {
        let stage = match client.deployment(project, id, Duration::from_secs(10)) {
            Ok(deployment) => {
                let (name, status) = deployment
                    .latest_stage
                    .as_ref()
                    .map_or(("unknown", "idle"), |stage| (stage.name.as_str(), stage.status.as_str()));
                match (name, status) {
                    ("deploy", "success") => return Ok(deployment),
                    (_, "failure" | "canceled") => return Err(failed(client, project, id, name)),
                    (_, _) if deployment.is_skipped => return Err(failed(client, project, id, "skipped")),
                    (_, _) => format!("{name}/{status}"),
                }
            }
            Err(error) if error.is_transient() => error.to_string(),
            Err(error) => return Err(Error::doing("look at the deployment")(error)),
        };
        if Instant::now() >= deadline {
            return Err(Error::NotLive { id: id.to_owned(), stage, within });
        }
        if wait(ASK_EVERY) {
            return Err(Error::Cancelled);
        }
    }
}

fn failed(client: &Cloudflare, project: &str, id: &str, stage: &str) -> Error {
    let line = client.last_log_line(project, id, Duration::from_secs(10)).ok().flatten();
    Error::Failed { id: id.to_owned(), stage: stage.to_owned(), line }
}
