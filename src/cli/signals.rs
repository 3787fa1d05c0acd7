//! Ctrl-C and SIGTERM: while nothing is being written the first ends the run; while a plan is carried out the first
//! lets running steps finish and the second stops at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::apply::Interrupt;

#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    interrupt: Interrupt,
    is_writing: Arc<AtomicBool>,
}

impl Signals {
    /// From now on the two signals end nothing by themselves.
    pub(super) fn listen(&self) {
        let Interrupt { stop, kill } = self.interrupt.clone();
        tokio::spawn(async move {
            let mut terminate = signal(SignalKind::terminate()).ok();
            for token in [stop, kill] {
                let terminated = async {
                    match &mut terminate {
                        Some(terminate) => drop(terminate.recv().await),
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    () = terminated => {}
                }
                token.cancel();
            }
        });
    }

    /// The first signal, unless a plan is being carried out by then.
    pub(super) async fn before_writing(&self) {
        self.interrupt.stop.cancelled().await;
        if self.is_writing.load(Ordering::SeqCst) {
            std::future::pending().await
        }
    }

    /// Leaves it to whoever carries out a plan to end in good order.
    pub(super) fn hand_over(&self) -> Interrupt {
        self.is_writing.store(true, Ordering::SeqCst);
        self.interrupt.clone()
    }
}
