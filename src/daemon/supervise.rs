//! Named tasks with an owner and an end. The only place that starts one.
//!
//! The first task that ends stops all; after a grace period, those still running are logged. A task may own others that
//! come and go, its [`TaskGroup`]; they end with it.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long tasks may take to end. The longest is a publication in progress: some seconds. systemd kills after 90.
const GRACE: Duration = Duration::from_secs(30);

/// A task ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum EndedEarly {
    /// With an error.
    #[error("{task} ended: {why}")]
    Failed {
        /// Which task.
        task: &'static str,
        /// Its error.
        why: String,
    },
    /// Without an error, or by a panic.
    #[error("{task} ended unexpectedly")]
    Silently {
        /// Which task.
        task: &'static str,
    },
}

/// The running tasks.
#[derive(Debug)]
pub struct Tasks {
    stop: CancellationToken,
    set: JoinSet<(&'static str, Result<(), String>)>,
}

impl Tasks {
    /// No tasks yet; `stop` ends them all.
    pub fn new(stop: CancellationToken) -> Self {
        Self { stop, set: JoinSet::new() }
    }

    /// Starts a task.
    pub fn add<E: std::fmt::Display + 'static>(
        &mut self,
        name: &'static str,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.set.spawn(async move { (name, task.await.map_err(|e| e.to_string())) });
    }

    /// Runs until the first task ends or the stop token is cancelled, then gives the rest some time.
    ///
    /// # Errors
    /// No task may end by itself, so an early end is an error, whatever it returned.
    pub async fn run(mut self) -> Result<(), EndedEarly> {
        let first = tokio::select! {
            () = self.stop.cancelled() => None,
            ended = self.set.join_next() => ended,
        };
        let stopping = self.stop.is_cancelled();
        self.stop.cancel();
        let mut failed = first.filter(|_| !stopping).map(early);
        let all_out = async {
            while let Some(ended) = self.set.join_next().await {
                if let Ok((task, Err(why))) = ended {
                    failed.get_or_insert(EndedEarly::Failed { task, why });
                }
            }
        };
        if tokio::time::timeout(GRACE, all_out).await.is_err() {
            tracing::warn!(tasks = self.set.len(), "tasks did not stop in time");
        }
        failed.map_or(Ok(()), Err)
    }
}

fn early(ended: Result<(&'static str, Result<(), String>), tokio::task::JoinError>) -> EndedEarly {
    match ended {
        Ok((task, Err(why))) => EndedEarly::Failed { task, why },
        Ok((task, Ok(()))) => EndedEarly::Silently { task },
        Err(_) => EndedEarly::Silently { task: "a task that panicked" },
    }
}

/// Tasks of one kind that come and go while their owner runs. They end with it: dropping this aborts those that are
/// left.
#[derive(Debug, Default)]
pub struct TaskGroup(JoinSet<()>);

impl TaskGroup {
    /// Starts a task.
    pub fn add(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(task);
    }

    /// The number of tasks, including ended ones that nobody has waited for yet.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until one has ended, even by a panic, which ends nothing else. Waits for ever if there is none.
    pub async fn one_ends(&mut self) {
        if self.0.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_on_its_own_stops_all_and_is_named() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        let waiting = stop.clone();
        tasks.add("waits", async move {
            waiting.cancelled().await;
            Ok::<(), String>(())
        });
        tasks.add("fails", async { Err("no more disk") });
        let ended = tasks.run().await.expect_err("one failed");
        assert_eq!(ended.to_string(), "fails ended: no more disk");
        assert!(stop.is_cancelled());
    }

    #[tokio::test]
    async fn a_stop_is_no_error() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        let waiting = stop.clone();
        tasks.add("waits", async move {
            waiting.cancelled().await;
            Ok::<(), String>(())
        });
        stop.cancel();
        assert!(tasks.run().await.is_ok());
    }
}
