//! A step among others: the permit that it holds while its requests are under way, and gives back while one of them waits
//! for its turn at AWS's pace.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

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
}

/// Says whose step it is that waits, if a request in this future has to.
pub(super) async fn of_step<F: Future>(node: &Node, work: F) -> F::Output {
    STEP.scope(Arc::new(Step { node: node.clone(), waits_for: Mutex::default() }), work).await
}

/// Takes note of what the step of this task says that it waits for.
pub(super) fn note(event: &Event) {
    if let Event::Waiting { reason, .. } = event {
        let _ = STEP.try_with(|step| *lock(&step.waits_for) = Some(reason.clone()));
    }
}

/// One of the permits for requests under way.
pub(super) struct Permit {
    permits: Arc<Semaphore>,
    step: Option<Arc<Step>>,
    events: mpsc::UnboundedSender<Event>,
    deadline: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<OwnedSemaphorePermit>,
    /// Whether the step was said to wait for its turn.
    is_told: bool,
}

impl Permit {
    pub(super) async fn acquire(shared: &Shared) -> Arc<Self> {
        let permit = Self {
            permits: shared.permits.clone(),
            step: STEP.try_with(Arc::clone).ok(),
            events: shared.events.clone(),
            deadline: shared.deadline,
            state: Mutex::default(),
        };
        permit.take().await;
        Arc::new(permit)
    }

    async fn take(&self) {
        let permit = self.permits.clone().acquire_owned().await.ok();
        lock(&self.state).held = permit;
    }

    fn tell(&self, reason: String) {
        if let Some(step) = &self.step {
            let _ = self.events.send(Event::Waiting { node: step.node.clone(), reason });
        }
    }
}

#[async_trait]
impl Requester for Permit {
    fn waits(&self, reason: Option<String>) {
        let mut state = lock(&self.state);
        state.held = None;
        if let Some(reason) = reason {
            state.is_told = true;
            self.tell(reason);
        }
    }

    async fn goes_on(&self) {
        if lock(&self.state).held.is_none() {
            self.take().await;
        }
        if std::mem::take(&mut lock(&self.state).is_told) {
            let before = self.step.as_ref().and_then(|step| lock(&step.waits_for).clone());
            self.tell(before.unwrap_or_else(|| "its request is under way".into()));
        }
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
            wait: true,
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
    async fn whoever_waits_for_a_turn_lets_others_go_ahead() {
        let (shared, _told) = shared();
        let waiting = Permit::acquire(&shared).await;
        assert_eq!(shared.permits.available_permits(), 0);
        waiting.waits(None);
        let other = Permit::acquire(&shared).await;
        let mut goes_on = waiting.goes_on();
        assert!(futures::poll!(&mut goes_on).is_pending(), "there is one permit, and the other has it");
        drop(other);
        goes_on.await;
        assert_eq!(shared.permits.available_permits(), 0);
        drop(waiting);
        assert_eq!(shared.permits.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_step_says_what_it_waits_for_and_afterwards_what_it_waited_for_before() {
        let (shared, mut told) = shared();
        of_step(&node(), async {
            let permit = Permit::acquire(&shared).await;
            permit.waits(Some("waits for its turn".into()));
            permit.goes_on().await;
            assert_eq!(reasons(&mut told), ["waits for its turn", "its request is under way"]);

            shared.send(Event::Waiting { node: node(), reason: "pending".into() });
            permit.waits(Some("waits for its turn".into()));
            permit.goes_on().await;
            permit.waits(None);
            permit.goes_on().await;
            assert_eq!(reasons(&mut told), ["pending", "waits for its turn", "pending"]);
        })
        .await;
    }
}
