//! A step among others: each of its requests holds a permit while it is under way, and none while it waits for its turn at
//! AWS's pace, or for anything else.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Event, Node, Shared};
use crate::aws::Requester;

tokio::task_local! {
    /// The step that this task carries out.
    static STEP: Arc<Step>;
}

struct Step {
    node: Node,
    /// What it was last said to wait for.
    waits_for: Mutex<Option<String>>,
    /// Whether it has sent anything that AWS may have carried out.
    has_written: AtomicBool,
}

/// Says whose step it is that waits, if a request in this future has to.
pub(super) async fn of_step<F: Future>(node: &Node, work: F) -> F::Output {
    STEP.scope(Arc::new(Step { node: node.clone(), waits_for: Mutex::default(), has_written: AtomicBool::new(false) }), work).await
}

/// Ends when steps are to stop and the step of this task has written nothing; then it can be dropped.
pub(super) async fn stops_unwritten(stop: &CancellationToken) {
    stop.cancelled().await;
    if STEP.try_with(|step| step.has_written.load(Ordering::Relaxed)).unwrap_or(true) {
        pending::<()>().await;
    }
}

/// Takes note of what the step of this task says that it waits for.
pub(super) fn note(event: &Event) {
    if let Event::Waiting { reason, .. } = event {
        let _ = STEP.try_with(|step| *lock(&step.waits_for) = Some(reason.clone()));
    }
}

/// The permits of a step's requests.
pub(super) struct Permits {
    all: Arc<Semaphore>,
    step: Option<Arc<Step>>,
    events: mpsc::UnboundedSender<Event>,
    deadline: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// One for each request under way.
    held: Vec<OwnedSemaphorePermit>,
    /// Whether the step was said to wait for its turn.
    is_told: bool,
}

impl Permits {
    pub(super) fn new(shared: &Shared) -> Arc<Self> {
        Arc::new(Self {
            all: shared.permits.clone(),
            step: STEP.try_with(Arc::clone).ok(),
            events: shared.events.clone(),
            deadline: shared.deadline,
            state: Mutex::default(),
        })
    }

    fn tell(&self, reason: String) {
        if let Some(step) = &self.step {
            let _ = self.events.send(Event::Waiting { node: step.node.clone(), reason });
        }
    }
}

#[async_trait]
impl Requester for Permits {
    fn waits(&self, reason: Option<String>) {
        if let Some(reason) = reason {
            lock(&self.state).is_told = true;
            self.tell(reason);
        }
    }

    async fn starts(&self, is_write: bool) {
        let permit = self.all.clone().acquire_owned().await.ok();
        if let Some(step) = self.step.as_ref().filter(|_| is_write) {
            step.has_written.store(true, Ordering::Relaxed);
        }
        let mut state = lock(&self.state);
        state.held.extend(permit);
        if std::mem::take(&mut state.is_told) {
            let before = self.step.as_ref().and_then(|step| lock(&step.waits_for).clone());
            self.tell(before.unwrap_or_else(|| "its request is under way".into()));
        }
    }

    fn ends(&self) {
        lock(&self.state).held.pop();
    }

    fn deadline(&self) -> Option<Instant> {
        Some(self.deadline)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::apply::Verb;
    use crate::resources::Kind;
    use crate::resources::model::Scope;

    /// What steps share, with one permit.
    fn shared() -> (Shared, mpsc::UnboundedReceiver<Event>) {
        let (events, told) = mpsc::unbounded_channel();
        let shared = Shared {
            writers: BTreeMap::new(),
            ids: Mutex::default(),
            made: Mutex::default(),
            permits: Arc::new(Semaphore::new(1)),
            events,
            deadline: Instant::now() + Duration::from_secs(60),
            stop: CancellationToken::new(),
            wait: true,
            saved: None,
            looks: Mutex::default(),
        };
        (shared, told)
    }

    fn node() -> Node {
        Node { verb: Verb::Create, kind: Kind::VpcEndpoint, name: "logs".into(), scope: Scope::infra_group("high", "one", "ig-1") }
    }

    fn reasons(told: &mut mpsc::UnboundedReceiver<Event>) -> Vec<String> {
        let told = std::iter::from_fn(|| told.try_recv().ok());
        told.map(|event| match event {
            Event::Waiting { node, reason } if node == self::node() => reason,
            other => format!("{other:?}"),
        })
        .collect()
    }

    #[tokio::test]
    async fn only_a_request_that_is_under_way_holds_a_permit() {
        let (shared, _told) = shared();
        let (one, other) = (Permits::new(&shared), Permits::new(&shared));
        one.waits(None);
        assert_eq!(shared.permits.available_permits(), 1);
        other.starts(true).await;
        let mut starts = one.starts(true);
        assert!(futures::poll!(&mut starts).is_pending(), "there is one permit, and the other has it");
        other.ends();
        starts.await;
        assert_eq!(shared.permits.available_permits(), 0);
        // It is cancelled: its answer is not waited for.
        drop(one);
        assert_eq!(shared.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn requests_of_one_step_at_once_need_a_permit_each() {
        let (shared, _told) = shared();
        let permits = Permits::new(&shared);
        permits.starts(true).await;
        let mut second = permits.starts(true);
        assert!(futures::poll!(&mut second).is_pending());
        permits.ends();
        second.await;
        permits.ends();
        assert_eq!(shared.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_step_that_has_written_is_not_dropped() {
        let (shared, _told) = shared();
        shared.stop.cancel();
        of_step(&node(), async {
            let mut stopped = Box::pin(stops_unwritten(&shared.stop));
            Permits::new(&shared).starts(false).await;
            assert!(futures::poll!(&mut stopped).is_ready());
            let mut stopped = Box::pin(stops_unwritten(&shared.stop));
            Permits::new(&shared).starts(true).await;
            assert!(futures::poll!(&mut stopped).is_pending());
        })
        .await;
    }

    #[tokio::test]
    async fn a_step_says_what_it_waits_for_and_afterwards_what_it_waited_for_before() {
        let (shared, mut told) = shared();
        of_step(&node(), async {
            let permits = Permits::new(&shared);
            let waits = async |reason: Option<&str>| {
                permits.waits(reason.map(String::from));
                permits.starts(true).await;
                permits.ends();
            };
            waits(Some("waits for its turn")).await;
            assert_eq!(reasons(&mut told), ["waits for its turn", "its request is under way"]);
            shared.send(Event::Waiting { node: node(), reason: "pending".into() });
            waits(Some("waits for its turn")).await;
            waits(None).await;
            assert_eq!(reasons(&mut told), ["pending", "waits for its turn", "pending"]);
        })
        .await;
    }
}
