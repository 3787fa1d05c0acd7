//! Sessions of a run, and the cells that it cannot get into.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;

use crate::aws::{Access, AwsError, Calls, Credentials, Reader, Session, Writer};
use crate::estate::Group;
use crate::live::{self, Lost};
use crate::resources::model::Place;

/// Tier and name of a cell.
pub(crate) type Cell = (String, String);

pub(super) fn cell_of(group: Group<'_>) -> Cell {
    (group.tier.tier.to_string(), group.cell.name.to_string())
}

/// Sessions of a run, by tier and cell.
#[derive(Default)]
pub(in crate::cli) struct Sessions {
    by_cell: BTreeMap<Cell, Session>,
}

impl Sessions {
    /// Opens one session for each account, Region and role that the groups need, all at once.
    pub(super) async fn open(groups: &[Group<'_>], access: Access, calls: &Calls) -> Result<Self, AwsError> {
        let (sessions, lost) = Self::open_each(groups, access, calls, Duration::MAX).await;
        match lost.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(sessions),
        }
    }

    /// The same, with those that could not be opened and what they are for.
    pub(super) async fn open_each(groups: &[Group<'_>], access: Access, calls: &Calls, longest: Duration) -> (Self, Lost) {
        let mut wanted: BTreeMap<(Place, Credentials), BTreeSet<Cell>> = BTreeMap::new();
        for group in groups {
            wanted.entry((group.place(), credentials(*group, access))).or_default().insert(cell_of(*group));
        }
        let of = wanted.len();
        let opened = join_all(wanted.keys().map(|(place, credentials)| async move {
            live::within(longest, place, Session::open(place, credentials, access, calls, of)).await
        }))
        .await;
        let (mut sessions, mut lost) = (Self::default(), Lost::new());
        for (cells, session) in wanted.values().zip(opened) {
            match session {
                Ok(session) => {
                    sessions.by_cell.extend(cells.iter().map(|cell| (cell.clone(), session.clone())));
                }
                Err(error) => lost.push((cells.clone(), error)),
            }
        }
        (sessions, lost)
    }

    pub(super) fn reader(&self, group: Group<'_>) -> Option<Reader> {
        self.by_cell.get(&cell_of(group)).map(Session::reader)
    }

    pub(in crate::cli) fn writers(&self) -> BTreeMap<Cell, Writer> {
        self.by_cell.iter().filter_map(|(cell, session)| Some((cell.clone(), session.writer()?))).collect()
    }
}

pub(super) fn credentials(group: Group<'_>, access: Access) -> Credentials {
    let Some(role) = &group.cell.assume_role else { return Credentials::default() };
    let arn = if access == Access::Write { &role.write } else { &role.read };
    Credentials { role: Some(arn.clone()), external_id: role.external_id.clone() }
}
