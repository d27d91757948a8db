//! The one writer. It takes one input at a time, has `process` decide, appends to the logbook, folds, and starts the
//! work that follows.

/// A snapshot for readers: API, pages, metrics.
pub mod view;
/// Work carried out on the store.
pub mod worker;
/// What comes from which request, for the log.
pub mod trail;
/// The way to the engine.
pub mod handle;
/// The world, kept beside the logbook.
pub mod checkpoint;
/// The logbook and the world.
pub mod folding;
/// What a tree listed at an earlier revision.
pub mod earlier;
/// Each entry of the logbook in the daemon's log.
mod journal;
/// What receivers of notices are sent.
mod message;
/// What begins, and what follows from how it ended.
mod dispatch;
/// The loop.
pub mod run;

#[cfg(test)]
mod tests {
    mod calendar;
    mod people;
    mod site;
}
