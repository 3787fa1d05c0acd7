//! Carries a plan out: in dependency order, as much at once as is allowed, waiting for what takes time.
//!
//! A failure stops only what depends on it. Progress goes out as events; nothing here prints.

mod graph;
#[cfg(test)]
#[expect(clippy::expect_used, clippy::panic, reason = "a test may panic")]
mod properties;
mod schedule;
mod step;
mod turn;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::aws::Writer;
use crate::live;
use crate::plan::Plan;
use crate::resources::Kind;
use crate::resources::model::{Key, Live, Place, Scope};
use graph::Graph;
pub use graph::{Node, Verb};
use schedule::Schedule;
use step::Ended;

/// Steps of a kind and place between their look and their write: so few that the last of them writes within seconds at the
/// slowest rates that AWS publishes, and enough for the highest.
const LOOKS_AT_ONCE: usize = 4;

#[derive(Debug, Clone)]
pub struct Options {
    /// Requests under way at once.
    pub parallelism: usize,
    /// After this no wait goes on.
    pub timeout: Duration,
    /// Whether to wait until things do their work.
    pub wait: bool,
    /// Where it is a saved plan: then each thing has to be as the plan found it when its turn comes, and not just ours.
    pub saved: Option<Saved>,
}

/// A saved plan as it is carried out.
#[derive(Debug, Clone)]
pub struct Saved {
    /// What it makes is tagged with this.
    pub id: String,
    /// How to read again what it is about.
    pub requests: Vec<live::Request>,
}

/// Ends a run early: gently, or at once.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    /// Running steps finish, none start.
    pub stop: CancellationToken,
    /// Nothing is waited for any more.
    pub kill: CancellationToken,
}

/// What happens while a plan is carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Started {
        node: Node,
    },
    /// What a step is waiting for.
    Waiting {
        node: Node,
        reason: String,
    },
    Finished {
        node: Node,
        took: Duration,
    },
    /// Somebody else has to act.
    Held {
        node: Node,
        reason: String,
        remedy: String,
    },
    Failed {
        node: Node,
        reason: String,
        remedy: String,
    },
    /// The run was to stop before the step had written anything.
    NotBegun {
        node: Node,
    },
    /// The next tenants begin: the number of the wave, counted from 1, of how many, and how many tenants it has.
    Wave {
        number: usize,
        waves: usize,
        tenants: usize,
    },
    /// No more steps are started, and those that have written finish.
    Interrupted,
}

/// A step that did not get done, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Undone {
    pub node: Node,
    pub reason: String,
    pub remedy: String,
}

/// Where things stand at the end.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub done: Vec<Node>,
    pub failed: Vec<Undone>,
    /// Waiting for somebody else.
    pub held: Vec<Undone>,
    pub not_started: Vec<Undone>,
    pub interrupted: bool,
}

impl Outcome {
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.held.is_empty() && self.not_started.is_empty() && !self.interrupted
    }
}

/// What all steps share.
struct Shared {
    writers: BTreeMap<(String, String), Writer>,
    ids: Mutex<BTreeMap<Key, String>>,
    /// What this run has made of tenants, in that order.
    made: Mutex<Vec<Live>>,
    permits: Arc<Semaphore>,
    events: mpsc::UnboundedSender<Event>,
    deadline: Instant,
    /// No step writes its first from now on.
    stop: CancellationToken,
    wait: bool,
    saved: Option<Saved>,
    /// Permits for steps between their look and their write, by place and kind.
    looks: Mutex<BTreeMap<(Place, Kind), Arc<Semaphore>>>,
}

impl Shared {
    /// Permits for steps of a saved plan that look at a thing once more and then write: a step that looked while many were
    /// before it in the queue would write long after it looked.
    fn looks(&self, place: &Place, kind: Kind) -> Arc<Semaphore> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.entry((place.clone(), kind)).or_insert_with(|| Arc::new(Semaphore::new(LOOKS_AT_ONCE))).clone()
    }

    fn writer(&self, scope: &Scope) -> Option<&Writer> {
        self.writers.get(&(scope.tier.clone(), scope.cell.clone()))
    }

    fn send(&self, event: Event) {
        turn::note(&event);
        // Nobody listening is no reason to stop.
        let _ = self.events.send(event);
    }
}

/// How many steps it takes to carry a plan out, waits included.
pub fn count_steps(plan: &Plan, wait: bool) -> usize {
    Graph::new(plan, wait).nodes.len()
}

/// Carries out every step of the plan that is not blocked. Writers are by tier and cell.
pub async fn run(
    plan: &Plan,
    writers: BTreeMap<(String, String), Writer>,
    options: &Options,
    events: mpsc::UnboundedSender<Event>,
    interrupt: Interrupt,
) -> Outcome {
    let graph = Graph::new(plan, options.wait);
    let shared = Arc::new(Shared {
        writers,
        ids: Mutex::new(plan.ids.clone()),
        made: Mutex::default(),
        permits: Arc::new(Semaphore::new(options.parallelism.max(1))),
        events,
        deadline: Instant::now() + options.timeout,
        stop: interrupt.stop.clone(),
        wait: options.wait,
        saved: options.saved.clone(),
        looks: Mutex::default(),
    });
    let mut outcome = Outcome::default();
    let mut schedule = Schedule::new(&graph, plan);
    let mut lost: BTreeMap<usize, usize> = BTreeMap::new();
    let mut given_up: Vec<usize> = Vec::new();
    let mut running: JoinSet<(usize, Node, Ended)> = JoinSet::new();
    let mut started: BTreeMap<tokio::task::Id, usize> = BTreeMap::new();
    let (made_sender, mut made) = mpsc::unbounded_channel::<usize>();
    let mut is_told = false;
    let tell_wave = |wave: usize| {
        if let Some(tenants) = plan.waves.get(wave).filter(|_| plan.waves.len() > 1) {
            shared.send(Event::Wave { number: wave + 1, waves: plan.waves.len(), tenants: tenants.len() });
        }
    };
    tell_wave(0);
    loop {
        if !interrupt.stop.is_cancelled() {
            while let Some(wave) = schedule.advance() {
                tell_wave(wave);
            }
            for index in schedule.take_ready() {
                let (shared, work, made) = (shared.clone(), graph.work(plan, index), made_sender.clone());
                let task = running.spawn(async move {
                    let node = work.node.clone();
                    let ended = step::run(&shared, work, &|| {
                        let _ = made.send(index);
                    })
                    .await;
                    (index, node, ended)
                });
                started.insert(task.id(), index);
            }
        }
        tokio::select! {
            biased;
            () = interrupt.kill.cancelled() => {
                running.abort_all();
                break;
            }
            () = interrupt.stop.cancelled(), if !is_told => {
                is_told = true;
                shared.send(Event::Interrupted);
            }
            // Made, and still on its way to being ready: what needs only that it exists can start.
            Some(index) = made.recv() => schedule.make(index),
            next = running.join_next_with_id() => {
                let (index, node, ended) = match next {
                    None => break,
                    Some(Ok((id, ended))) => {
                        started.remove(&id);
                        ended
                    }
                    Some(Err(error)) => {
                        let Some(index) = started.remove(&error.id()) else { continue };
                        let ended = Ended::Failed(format!("tierctl failed in this step: {error}"), "report this, and run again".into());
                        (index, graph.nodes[index].clone(), ended)
                    }
                };
                match ended {
                    Ended::Done => {
                        schedule.finish(index);
                        outcome.done.push(node);
                    }
                    Ended::NotBegun => schedule.put_back(index),
                    Ended::Held(reason, remedy) => {
                        outcome.held.push(Undone { node, reason, remedy });
                        lost.extend(schedule.fail(index).into_iter().map(|other| (other, index)));
                    }
                    Ended::Failed(reason, remedy) => {
                        outcome.failed.push(Undone { node, reason, remedy });
                        lost.extend(schedule.fail(index).into_iter().map(|other| (other, index)));
                    }
                }
                if schedule.exceeded().is_some() {
                    given_up.extend(schedule.give_up_unbegun());
                }
            }
        }
    }
    outcome.interrupted = interrupt.stop.is_cancelled() && !schedule.left().is_empty() || interrupt.kill.is_cancelled();
    // Only a second Ctrl-C leaves any.
    for index in started.into_values() {
        let reason = "stopped while it ran: whether it took effect is unknown".to_string();
        outcome.not_started.push(Undone { node: graph.nodes[index].clone(), reason, remedy: String::new() });
    }
    for (index, cause) in lost {
        let reason = format!("needs {}", graph.nodes[cause]);
        outcome.not_started.push(Undone { node: graph.nodes[index].clone(), reason, remedy: String::new() });
    }
    let reason = schedule.exceeded().unwrap_or_default();
    for index in given_up {
        let remedy = "see to those that failed, and run the same command again".to_string();
        outcome.not_started.push(Undone { node: graph.nodes[index].clone(), reason: reason.clone(), remedy });
    }
    for index in schedule.left() {
        outcome.not_started.push(Undone { node: graph.nodes[*index].clone(), reason: "interrupted".into(), remedy: String::new() });
    }
    outcome
}
