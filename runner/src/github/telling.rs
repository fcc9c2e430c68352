//! GitHub's API as somebody who is told of a release: it waits for none of it, and cannot fail by it.

use super::api::Refused;
use super::comment::Comment;
use super::deployment::Deployments;
use super::{Facts, job};
use crate::cancel::Cancel;
use crate::outbox::{Destination, Outbox};
use crate::report::{Entry, Event, Listener};

/// What GitHub is told, for as long as this lives.
pub(crate) struct Telling(Outbox);

impl Telling {
    /// Begins, when this is a job and there is a token. `site` is where visitors go.
    pub(crate) fn start(environment: &str, site: &str) -> Option<Self> {
        let note = |text: String| job().iter().for_each(|job| job.note(&text));
        Self::of(&job()?.facts, environment, site, note)
    }

    /// The same; what cannot be told for good is said once, by `note`.
    pub(super) fn of(facts: &Facts, environment: &str, site: &str, note: fn(String)) -> Option<Self> {
        let (api, cancel) = (facts.api()?, Cancel::default());
        let mut deployments =
            Deployments::new(api.clone(), facts, environment.to_owned(), site.to_owned(), cancel.clone());
        let comment = Comment::new(api, facts, environment, cancel.clone());
        let title = "GitHub Deployments";
        let tell = move |event: &Event| deployments.tell(event);
        let mut all = vec![destination(title, "deployments: write", Deployments::wants, tell, note)];
        all.extend(comment.map(|mut comment| {
            let tell = move |event: &Event| comment.tell(event);
            destination("the pull request's comment", "pull-requests: write", Comment::wants, tell, note)
        }));
        Outbox::start(all, cancel).map(Self)
    }

    /// What hears of events and returns at once, whatever GitHub does.
    pub(crate) fn listener(&self) -> Listener {
        self.0.listener()
    }

    /// Waits a moment for the last of it. `cancel` ends the waiting. What was not told is a note, and nobody's fault.
    pub(crate) fn finish(self, cancel: &Cancel) {
        for text in self.0.finish(cancel) {
            job().iter().for_each(|job| job.note(&text));
        }
    }
}

fn destination(
    title: &str,
    permission: &'static str,
    wants: fn(&Event) -> bool,
    mut tell: impl FnMut(&Event) -> Result<(), Refused> + Send + 'static,
    note: fn(String),
) -> Destination {
    let name = title.to_owned();
    let mut denied = false;
    let deliver = move |entry: &Entry| {
        if denied {
            return Ok(());
        }
        match tell(&entry.event) {
            Ok(()) => Ok(()),
            Err(Refused::Failed(why)) => Err(why),
            Err(Refused::Denied(why)) => {
                denied = true;
                note(format!(
                    "{name}: not told, because the token may not: the job needs `permissions: {permission}` ({why})"
                ));
                Ok(())
            }
        }
    };
    Destination { title: title.to_owned(), wants: Box::new(wants), deliver: Box::new(deliver) }
}
