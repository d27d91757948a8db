//! The way to the engine, for `web` and the watches.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc, oneshot};

use super::trail::RequestId;
use super::view::Shared;
use crate::domain::names::DistPath;
use crate::process::decision::Answer;
use crate::process::fact::tree::Altered;
use crate::process::input::{Ask, Hint, Input};
use crate::process::rules::Rules;
use crate::process::trouble::Trouble;
use crate::process::who::Caller;

/// Inputs that may wait for the engine. When the queue is full, the hook answers 503 and the tracker sends
/// again; nothing is dropped silently.
pub const INPUT_QUEUE: usize = 1024;

/// Distributions whose uploads have to be looked at. Hints are never lost and never pile up.
#[derive(Debug, Default)]
pub struct Touches {
    waiting: Mutex<Waiting>,
    pub(super) bell: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) touched: BTreeSet<DistPath>,
    pub(super) doubted: BTreeSet<DistPath>,
}

impl Touches {
    /// Something may have changed below the upload tree of `dist`.
    pub fn touch(&self, dist: &DistPath) {
        self.lock().touched.insert(dist.clone());
        self.bell.notify_one();
    }

    /// The trees of `dist` have to be compared with the logbook.
    pub fn doubt(&self, dist: &DistPath) {
        self.lock().doubted.insert(dist.clone());
        self.bell.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut *self.lock())
    }
}

/// An input, and who waits for the answer.
#[derive(Debug)]
pub struct Envelope {
    pub(super) input: Input,
    pub(super) reply: Option<oneshot::Sender<Answer>>,
    /// The request from which it comes.
    pub(super) request: Option<RequestId>,
}

impl From<Input> for Envelope {
    fn from(input: Input) -> Self {
        Self { input, reply: None, request: None }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Too many inputs are waiting.
    #[error("too many requests are waiting; try again in a moment")]
    Full,
    /// The engine cannot write or is stopping.
    #[error("the daemon cannot write its logbook now, or is stopping; nothing was changed; try again")]
    Unavailable,
    /// The engine cannot write, and this is why.
    #[error("the daemon cannot write its logbook now, and nothing was changed: {0}")]
    Unwritable(String),
}

/// The way to the engine, for `web` and the watches.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) inputs: mpsc::Sender<Envelope>,
    pub(super) touches: Arc<Touches>,
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    /// Asks for something and waits for the answer.
    ///
    /// # Errors
    /// When the engine is too busy or cannot write.
    pub async fn ask(&self, caller: Caller, ask: Ask) -> Result<Answer, NoAnswer> {
        self.send(Input::Asked(caller, ask)).await
    }

    /// Passes on a hint and waits until it is durable.
    ///
    /// # Errors
    /// When the engine is too busy or cannot write.
    pub async fn hear(&self, hint: Hint) -> Result<Answer, NoAnswer> {
        self.send(Input::Heard(hint)).await
    }

    /// Reports a package that is not what was accepted; nobody waits for it.
    pub async fn altered(&self, found: Altered) {
        // An engine that is stopping hears of it at the next start.
        let _ = self.inputs.send(Input::Altered(found).into()).await;
    }

    async fn send(&self, input: Input) -> Result<Answer, NoAnswer> {
        let (reply, answer) = oneshot::channel();
        let envelope = Envelope { input, reply: Some(reply), request: RequestId::current() };
        self.inputs.try_send(envelope).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NoAnswer::Full,
            mpsc::error::TrySendError::Closed(_) => NoAnswer::Unavailable,
        })?;
        let why = || self.shared.read().troubles.get(&Trouble::Logbook).cloned();
        answer.await.map_err(|_| why().map_or(NoAnswer::Unavailable, NoAnswer::Unwritable))
    }

    /// Puts new rules in force between two inputs.
    pub async fn reload(&self, rules: Rules) {
        let _ = self.inputs.send(Input::Reloaded(Box::new(rules)).into()).await;
    }

    /// Hints that something changed below an upload tree.
    pub fn touch(&self, dist: &DistPath) {
        self.touches.touch(dist);
    }

    /// Asks for a comparison of the trees with the logbook.
    pub fn doubt(&self, dist: &DistPath) {
        self.touches.doubt(dist);
    }

    /// What readers see.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
