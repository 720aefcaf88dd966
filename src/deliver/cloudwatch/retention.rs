//! Log groups that we created and whose retention is not set yet. It is tried again until it
//! holds, beside the delivery and never in its way. What is owed is noted in the state directory,
//! so that the next run goes on with it. Groups that somebody else made are none of ours.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

use aws_sdk_cloudwatchlogs::Client;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::super::Answer;
use super::super::retry::Backoff;
use super::answers::classify;
use super::session::Session;
use crate::observe::repeats::Repeats;

/// A group that is not found so often in a row was deleted.
const MOST_MISSES: u32 = 8;
/// The first attempt is waited for this long after the first lines are delivered: an agent that
/// ends soon has set it then.
const FIRST_ATTEMPT: Duration = Duration::from_secs(1);

/// What is owed, and who sets it.
pub(super) struct Retention {
    days: i32,
    session: Arc<Session>,
    /// Where the names of the groups are noted.
    notes: Option<PathBuf>,
    state: Mutex<State>,
    /// There is another group.
    news: Notify,
    /// An attempt is over.
    tried: Notify,
    setter: Mutex<Option<AbortHandle>>,
}

#[derive(Debug, Default)]
struct State {
    owed: VecDeque<Owed>,
    /// The last attempt came to nothing.
    is_failing: bool,
}

#[derive(Debug)]
struct Owed {
    group: String,
    misses: u32,
}

/// What is noted.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Notes {
    #[serde(default)]
    log_groups: Vec<String>,
}

impl Retention {
    /// For groups that keep their events for so many days.
    ///
    /// With `notes` what is owed is noted in that file.
    pub(super) fn new(days: u32, session: Arc<Session>, notes: Option<PathBuf>) -> Self {
        Self {
            days: i32::try_from(days).unwrap_or(i32::MAX),
            session,
            notes,
            state: Mutex::default(),
            news: Notify::new(),
            tried: Notify::new(),
            setter: Mutex::default(),
        }
    }

    /// Takes up what an earlier run noted, and sets what is owed from now on.
    pub(super) fn begin(self: &Arc<Self>) {
        let noted = self.notes.as_deref().map(read).unwrap_or_default();
        let noted = noted.log_groups.into_iter();
        let owed = noted.map(|group| Owed { group, misses: 0 });
        self.state().owed.extend(owed);
        let own = Arc::clone(self);
        let setter = tokio::spawn(async move { own.set_all().await }).abort_handle();
        *lock(&self.setter) = Some(setter);
    }

    /// Nobody is to set it any more.
    pub(super) fn end(&self) {
        if let Some(setter) = lock(&self.setter).take() {
            setter.abort();
        }
    }

    /// This group was created by us.
    pub(super) fn owe(&self, group: &str) {
        let group = group.to_owned();
        self.state().owed.push_back(Owed { group, misses: 0 });
        self.write_notes();
        self.news.notify_one();
    }

    /// Waits for the first attempt, but not for long.
    pub(super) async fn wait_for_first(&self) {
        let mut tried = pin!(self.tried.notified());
        tried.as_mut().enable();
        let is_at_work = {
            let state = self.state();
            !state.owed.is_empty() && !state.is_failing
        };
        if is_at_work {
            let _ = tokio::time::timeout(FIRST_ATTEMPT, tried).await;
        }
    }

    /// Tries each group once, for somebody who does not stay.
    pub(super) async fn set_once(&self, client: &Client) {
        let groups: Vec<_> = {
            let mut state = self.state();
            state.owed.drain(..).map(|it| it.group).collect()
        };
        for group in groups {
            if let Err(answer) = self.put(client, &group).await {
                self.tell(&group, &answer, 0);
            }
        }
    }

    async fn set_all(&self) {
        let mut waits = Backoff::patient();
        let mut repeats = Repeats::default();
        loop {
            let next = self.state().owed.front().map(|it| it.group.clone());
            let Some(group) = next else {
                self.news.notified().await;
                continue;
            };
            let outcome = match self.session.client().await {
                Ok(client) => Box::pin(self.put(&client, &group)).await,
                Err(answer) => Err(answer),
            };
            let failed = self.settle(outcome).await;
            self.tried.notify_waiters();
            match failed {
                None => waits = Backoff::patient(),
                Some(answer) => {
                    if let Some(untold) = repeats.say("retention", Instant::now()) {
                        self.tell(&group, &answer, untold);
                    }
                    tokio::time::sleep(waits.next()).await;
                }
            }
        }
    }

    /// Notes what an attempt for the first group came to. Returns why it failed: the others have
    /// their turn before it then.
    async fn settle(&self, outcome: Result<(), Answer>) -> Option<Answer> {
        let mut failed = outcome.err();
        if let Some(answer) = &mut failed {
            self.session.look_again_after(answer).await;
        }
        let is_over = {
            let mut state = self.state();
            state.is_failing = failed.is_some();
            let mut owed = state.owed.pop_front()?;
            let is_missing = failed.as_ref().is_some_and(|it| it.reason == "not_found");
            owed.misses = if is_missing { owed.misses + 1 } else { 0 };
            let is_over = failed.is_none() || owed.misses >= MOST_MISSES;
            if !is_over {
                state.owed.push_back(owed);
            }
            is_over
        };
        if is_over {
            self.write_notes();
        }
        failed
    }

    async fn put(&self, client: &Client, group: &str) -> Result<(), Answer> {
        let request = client.put_retention_policy().log_group_name(group);
        match request.retention_in_days(self.days).send().await {
            Ok(_) => {
                let days = self.days;
                tracing::info!(
                    group,
                    days,
                    "set for how long the log group keeps its events"
                );
                Ok(())
            }
            Err(error) => Err(classify(&error, "PutRetentionPolicy")),
        }
    }

    fn tell(&self, group: &str, answer: &Answer, repeats: u64) {
        tracing::warn!(
            group,
            days = self.days,
            answer = answer.sentence,
            repeats,
            "cannot set for how long the log group keeps its events; it is tried again, and lines are delivered meanwhile"
        );
    }

    fn write_notes(&self) {
        let Some(path) = &self.notes else { return };
        let log_groups: Vec<_> = {
            let state = self.state();
            state.owed.iter().map(|it| it.group.clone()).collect()
        };
        if let Err(error) = write(path, &Notes { log_groups }) {
            // A restart will not know of it; the lines matter more.
            tracing::debug!(path = %path.display(), %error, "cannot note which retention is owed");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was noted; nothing where that cannot be read.
fn read(path: &Path) -> Notes {
    let text = fs::read(path).ok();
    let notes = text.and_then(|text| serde_json::from_slice(&text).ok());
    notes.unwrap_or_default()
}

/// Writes the notes whole or not at all; none where nothing is owed.
fn write(path: &Path, notes: &Notes) -> io::Result<()> {
    if notes.log_groups.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(notes)?)?;
    fs::rename(new, path)
}
