//! One step: the request, again while AWS says "not yet", then the wait until it has taken effect.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::graph::{Verb, Work};
use super::{Event, Node, Saved, Shared, turn};
use crate::aws::{AwsError, Class, Writer, on_behalf_of, polling};
use crate::live;
use crate::plan::{attribution, compare, saved};
use crate::resources::model::{Changed, Condition, Desired, Key, Live, Scope, TAG_PLAN, Tags, Wanted};
use crate::resources::{Kind, tags};

/// The first pause of a wait; each is half as long again as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What somebody else has to do is waited for this long, then the run ends without it.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(60);
/// What AWS itself still uses, as a load balancer's network interfaces, is free within minutes; what is in use for longer
/// is so by somebody else's thing.
const PATIENCE_WITH_USERS: Duration = Duration::from_secs(600);
/// A new role can be refused for up to two minutes; what is still refused then will be later too.
const PATIENCE_WITH_PROPAGATION: Duration = Duration::from_secs(180);
/// What was made a moment ago can be unknown to AWS for some seconds; what is unknown then is not there.
const PATIENCE_WITH_READS: Duration = Duration::from_secs(20);

pub(super) enum Ended {
    Done,
    /// Somebody else has to act: reason and remedy.
    Held(String, String),
    /// Reason and remedy.
    Failed(String, String),
    /// The run was to stop before anything was written.
    NotBegun,
}

impl From<AwsError> for Ended {
    fn from(error: AwsError) -> Self {
        Self::Failed(error.to_string(), error.remedy())
    }
}

/// Runs one step; `made` is called as soon as the thing exists, where that is all that its dependents need.
pub(super) async fn run(shared: &Shared, work: Work, made: &(dyn Fn() + Send + Sync)) -> Ended {
    let started = Instant::now();
    let node = work.node.clone();
    shared.send(Event::Started { node: node.clone() });
    let ended = turn::of_step(&node, async {
        tokio::select! {
            biased;
            () = turn::stops_unwritten(&shared.stop), if node.verb != Verb::Await => Ended::NotBegun,
            ended = carry_out(shared, work, made) => match ended {
                Ok(ended) | Err(ended) => ended,
            },
        }
    })
    .await;
    shared.send(match &ended {
        Ended::Done => Event::Finished { node, took: started.elapsed() },
        Ended::Held(reason, remedy) => Event::Held { node, reason: reason.clone(), remedy: remedy.clone() },
        Ended::Failed(reason, remedy) => Event::Failed { node, reason: reason.clone(), remedy: remedy.clone() },
        Ended::NotBegun => Event::NotBegun { node },
    });
    ended
}

async fn carry_out(shared: &Shared, work: Work, made: &(dyn Fn() + Send + Sync)) -> Result<Ended, Ended> {
    let Work { node, desired, live, changed, known, is_awaited, is_second_half } = work;
    let resource = node.kind.resource();
    let writer = shared.writer(&node.scope).ok_or_else(|| {
        let remedy = format!("name the spec of the tier {} too, so that its account is entered", node.scope.tier);
        Ended::Failed("there is no session that may write here".into(), remedy)
    })?;
    if let Some(live) = live.as_ref().filter(|live| live.place.account != writer.reader().place().account) {
        let reason = format!("{} is in {}, and {} is in {}", live.id, live.place, node.scope, writer.reader().place());
        return Err(Ended::Held(reason, "set the account of its cell back".into()));
    }
    let mut look = None;
    let mut is_unmoved = false;
    if let Some(saved) = shared.saved.as_ref().filter(|_| node.verb != Verb::Await && !is_second_half) {
        look = shared.looks(writer.reader().place(), node.kind).acquire_owned().await.ok();
        is_unmoved = check_unmoved(shared, &node, writer, saved, live.as_ref(), desired.as_ref(), &known).await?;
    }
    if let (Verb::Widen | Verb::Update | Verb::Delete, Some(live), false) = (node.verb, &live, is_unmoved) {
        check_owner(shared, &node, writer, live).await?;
    }
    if node.verb == Verb::Delete {
        let Some(live) = live else { return Ok(Ended::Done) };
        let mut pause = Pause::new(shared, &node);
        while let Err(error) = limited(shared, resource.delete(writer, &live)).await {
            pause.after(error).await?;
        }
        drop(look);
        let mut pause = Pause::new(shared, &node);
        loop {
            match limited(shared, polling(resource.departure(writer.reader(), &live))).await {
                Ok(condition) => match pause.until_ready(condition).await? {
                    Some(ended) => return Ok(ended),
                    None => continue,
                },
                Err(error) => pause.after(error).await?,
            }
        }
    }
    let Some(desired) = desired else { return Ok(Ended::Done) };
    let mut wanted = resolved(shared, &desired, known)?;
    let records = Records::of(&node, &wanted, live.as_ref());
    // The first half of an update is not all that is applied, and a part is tagged after it is made.
    if node.verb != Verb::Widen && resource.is_tagged() {
        wanted.tags.extend(records.at_once.clone());
    }
    let id = match (node.verb, &live) {
        (Verb::Create, _) => {
            let mut pause = Pause::new(shared, &node);
            loop {
                match limited(shared, resource.create(writer, &wanted)).await {
                    Ok(id) => break id,
                    Err(error) if error.class == Class::NoPlace => {
                        withdraw(shared, writer, &node.scope).await?;
                        return Err(Ended::Held(error.to_string(), error.remedy()));
                    }
                    Err(error) => pause.after(error).await?,
                }
            }
        }
        (Verb::Widen | Verb::Update, Some(live)) => update(shared, &node, writer, live, &mut wanted, changed).await?,
        (_, live) => live.as_ref().map(|live| live.id.clone()).unwrap_or_default(),
    };
    drop(look);
    shared.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(desired.key.clone(), id.clone());
    let changes_it = matches!(node.verb, Verb::Create | Verb::Update);
    let thing = Live::new(node.kind, &wanted.place, &id, Tags::new(), &wanted.fields);
    // What a part has recorded stands with its whole.
    let has = if resource.is_tagged() { Some(&wanted.tags) } else { live.as_ref().map(|live| &live.tags) };
    if let Some((tag, record)) = records.done.as_ref().filter(|_| changes_it)
        && has.and_then(|tags| tags.get(tag)) != Some(record)
    {
        add_tags(shared, &node, writer, &thing, &Tags::from([(tag.clone(), record.clone())])).await?;
    }
    if node.verb == Verb::Create && node.scope.is_tenant() {
        let live = Live::new(node.kind, &wanted.place, &id, wanted.tags.clone(), &wanted.fields);
        shared.made.lock().unwrap_or_else(PoisonError::into_inner).push(live);
    }
    if !resource.is_needed_ready() {
        made();
    }
    if !shared.wait && !is_awaited {
        return Ok(Ended::Done);
    }
    let mut has_completed = false;
    let mut pause = Pause::new(shared, &node);
    loop {
        match limited(shared, polling(resource.condition(writer.reader(), &id, &wanted))).await {
            Ok(condition) => {
                let Some(ended) = pause.until_ready(condition).await? else { continue };
                if matches!(ended, Ended::Done) {
                    match limited(shared, resource.complete(writer, &id, &wanted)).await {
                        Ok(false) if has_completed || changes_it && records.ready != records.done => {
                            add_tags(shared, &node, writer, &thing, &records.ready.clone().into_iter().collect()).await?;
                        }
                        Ok(false) => {}
                        Ok(true) => {
                            has_completed = true;
                            continue;
                        }
                        Err(error) => {
                            pause.after(error).await?;
                            continue;
                        }
                    }
                }
                return Ok(ended);
            }
            Err(error) => pause.after(error).await?,
        }
    }
}

/// What is recorded of a thing, by when that is so: tag and value.
struct Records {
    /// With the request that makes or changes it.
    at_once: Option<(String, String)>,
    /// When all requests of that have been answered.
    done: Option<(String, String)>,
    /// When it works.
    ready: Option<(String, String)>,
}

impl Records {
    fn of(node: &Node, wanted: &Wanted, live: Option<&Live>) -> Self {
        let resource = node.kind.resource();
        let record = |without: &[&str]| {
            let tag = resource.record_tag(&wanted.fields)?;
            let mut fields = wanted.fields.clone();
            fields.retain(|field, _| !without.contains(&field.as_str()));
            Some((tag, attribution::record(node.kind, &fields, &wanted.tags)))
        };
        // What is as wanted already is nothing to wait for.
        let is_there = |field: &&str| live.is_some_and(|live| live.fields.get(*field) == wanted.fields.get(*field));
        let last: Vec<&str> = resource.set_when_ready().iter().copied().filter(|field| !is_there(field)).collect();
        let after_creation = if node.verb == Verb::Create { resource.set_after_creation() } else { &[] };
        let later: Vec<&str> = last.iter().chain(after_creation).copied().collect();
        Self { at_once: record(&later), done: record(&last), ready: record(&[]) }
    }
}

/// A plan may have waited long for its answer: meanwhile somebody may have taken the thing over by its tags.
async fn check_owner(shared: &Shared, node: &Node, writer: &Writer, live: &Live) -> Result<(), Ended> {
    // Revisions never change.
    if live.kind == Kind::TaskDefinition {
        return Ok(());
    }
    let owner = |tags: &Tags| {
        // A part has the tags of its whole, but for its own name in it.
        let is_tagged = live.kind.resource().is_tagged();
        Key::from_tags(live.kind, tags).map(|key| if is_tagged { (key.scope, Some(key.name)) } else { (key.scope, None) })
    };
    let mut pause = Pause::new(shared, node);
    let tags = loop {
        match limited(shared, tags::of(writer, live)).await {
            Ok(tags) => break tags,
            Err(error) => pause.after(error).await?,
        }
    };
    if owner(&tags) == owner(&live.tags) {
        return Ok(());
    }
    let reason = match Key::from_tags(live.kind, &tags) {
        Some(other) => format!("{} has become {other} since it was read", live.id),
        None => format!("{} is gone, or has lost tierctl's tags, since it was read", live.id),
    };
    Err(Ended::Held(reason, "run the same command again: it plans anew".into()))
}

/// Fields that other steps of a run change on a thing before its own turn comes.
const CHANGED_BY_OTHER_STEPS: &[(Kind, &str)] = &[(Kind::VpcEndpoint, "private_dns_enabled"), (Kind::RouteTable, "subnet_ids")];

/// Between the plan and its turn a thing may have been made, changed or deleted by others: that is not what was reviewed.
/// Whether it could be looked at: of what it is compared by, the tags that make it ours are part.
async fn check_unmoved(
    shared: &Shared,
    node: &Node,
    writer: &Writer,
    plan: &Saved,
    live: Option<&Live>,
    desired: Option<&Desired>,
    known: &BTreeSet<String>,
) -> Result<bool, Ended> {
    // Revisions never change.
    let request =
        plan.requests.iter().find(|request| request.reader.place() == writer.reader().place() && request.scope.wants(&node.scope));
    let Some(request) = request.filter(|_| node.kind != Kind::TaskDefinition) else { return Ok(false) };
    let mut pause = Pause::new(shared, node);
    let found = loop {
        match limited(shared, live::read_again(request, node.kind, &node.scope, live.and_then(|live| live.name.as_deref()))).await {
            Ok(found) => break found,
            Err(error) => pause.after(error).await?,
        }
    };
    let moved = |what: String| {
        Err(Ended::Held(
            format!("while the plan was carried out: {what}, so this is left alone"),
            "plan again, and look at the new plan".into(),
        ))
    };
    let Some(live) = live.filter(|_| node.verb != Verb::Create) else {
        let key = Key::new(&node.scope, node.kind, &node.name);
        // A part is there with its whole, which this plan has made.
        let is_own = |other: &Live| other.tags.get(TAG_PLAN) == Some(&plan.id) || known.contains(&other.id);
        return match found.iter().find(|other| other.owner().as_ref() == Some(&key) && !is_own(other)) {
            Some(other) => moved(format!("{} has been made", other.id)),
            None => Ok(true),
        };
    };
    let Some(now) = found.iter().find(|other| other.id == live.id) else { return moved(format!("{} is gone", live.id)) };
    let of = |live| saved::of_live(live, &saved::Names::new(), &saved::sets(desired));
    let mut differing = saved::differing(&of(live), &of(now));
    differing.retain(|field| !CHANGED_BY_OTHER_STEPS.contains(&(node.kind, field)));
    match differing.is_empty() {
        true => Ok(true),
        false => moved(format!("{} has been changed: {}", live.id, differing.join(", "))),
    }
}

/// Takes away what this run has made of a tenant for which there is no place: it would count as living there.
async fn withdraw(shared: &Shared, writer: &Writer, scope: &Scope) -> Result<(), Ended> {
    let made = shared.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for live in made.iter().rev().filter(|live| live.owner().is_some_and(|key| key.scope == *scope)) {
        limited(shared, live.kind.resource().delete(writer, live)).await?;
    }
    Ok(())
}

async fn update(
    shared: &Shared,
    node: &Node,
    writer: &Writer,
    live: &Live,
    wanted: &mut Wanted,
    changed: BTreeSet<String>,
) -> Result<String, Ended> {
    let resource = node.kind.resource();
    let changed = Changed(changed);
    let mut pause = Pause::new(shared, node);
    let id = loop {
        match limited(shared, resource.update(writer, live, wanted, &changed)).await {
            Ok(id) => break id,
            Err(error) => pause.after(error).await?,
        }
    };
    let missing = wanted.tags.iter().filter(|(key, value)| live.tags.get(*key) != Some(*value));
    let missing: Tags = missing.map(|(key, value)| (key.clone(), value.clone())).collect();
    if resource.is_tagged() && !missing.is_empty() {
        add_tags(shared, node, writer, live, &missing).await?;
    }
    Ok(id)
}

async fn add_tags(shared: &Shared, node: &Node, writer: &Writer, live: &Live, tags: &Tags) -> Result<(), Ended> {
    let mut pause = Pause::new(shared, node);
    while let Err(error) = limited(shared, tags::add(writer, live, tags)).await {
        pause.after(error).await?;
    }
    Ok(())
}

/// The thing with every reference in the place of its id: all that it needs has been made by now.
fn resolved(shared: &Shared, desired: &Desired, known: BTreeSet<String>) -> Result<Wanted, Ended> {
    let mut fields = desired.fields.clone();
    {
        let ids = shared.ids.lock().unwrap_or_else(PoisonError::into_inner);
        compare::resolve(&mut fields, &|key: &Key| ids.get(key).cloned());
    }
    let mut unknown = BTreeSet::new();
    fields.values().for_each(|value| crate::resources::model::references(value, &mut unknown));
    if let Some(key) = unknown.first() {
        let reason = format!("it needs {key}, which does not exist");
        return Err(Ended::Failed(reason, format!("apply the tier first: `tierctl apply` with the spec of {}", key.scope.tier)));
    }
    let mut tags = desired.tags.clone();
    tags.extend(desired.key.kind.resource().derived_tags(&fields));
    Ok(Wanted { key: desired.key.clone(), place: desired.place.clone(), fields, tags, known })
}

/// Each of these requests holds one of the permits while it is under way.
async fn limited<T>(shared: &Shared, requests: impl Future<Output = T>) -> T {
    on_behalf_of(turn::Permits::new(shared), requests).await
}

/// The pauses of one wait, and when to give it up.
struct Pause<'a> {
    shared: &'a Shared,
    node: &'a Node,
    next: Duration,
    started: Instant,
    /// Since when AWS has not listed the thing.
    absent_since: Option<Instant>,
    said: String,
}

impl<'a> Pause<'a> {
    fn new(shared: &'a Shared, node: &'a Node) -> Self {
        Self { shared, node, next: FIRST_PAUSE, started: Instant::now(), absent_since: None, said: String::new() }
    }

    /// Waits where trying again can help, and ends the step where it cannot.
    async fn after(&mut self, error: AwsError) -> Result<(), Ended> {
        let patience = match error.class {
            // Somebody else's thing is in the way or has the name.
            Class::Others | Class::Exists => return Err(Ended::Held(error.to_string(), error.remedy())),
            Class::NotFound if self.node.verb != Verb::Delete => PATIENCE_WITH_READS,
            Class::NotYet if self.node.verb != Verb::Delete => PATIENCE_WITH_PROPAGATION,
            Class::InUse if self.node.verb == Verb::Delete => PATIENCE_WITH_USERS,
            Class::InUse | Class::Throttled | Class::NotYet => Duration::MAX,
            _ => return Err(error.into()),
        };
        if self.started.elapsed() > patience {
            return Err(match error.class {
                Class::InUse => Ended::Held(error.to_string(), error.remedy()),
                _ => error.into(),
            });
        }
        match self.sleep(&error.message).await {
            true => Ok(()),
            false => Err(Ended::Failed(format!("gave up waiting: {error}"), error.remedy())),
        }
    }

    /// `None` while it has to be asked again.
    async fn until_ready(&mut self, condition: Condition) -> Result<Option<Ended>, Ended> {
        let rerun = || "run the same command again: it picks up what is there".to_string();
        if !matches!(condition, Condition::Absent(_)) {
            self.absent_since = None;
        }
        let (reason, held) = match condition {
            Condition::Ready => return Ok(Some(Ended::Done)),
            Condition::Failed(reason) => {
                return Err(Ended::Failed(reason, "mend the cause, then run the same command again".into()));
            }
            Condition::Absent(reason) => {
                if self.absent_since.get_or_insert_with(Instant::now).elapsed() > PATIENCE_WITH_READS {
                    return Err(Ended::Failed(format!("{reason}: somebody has deleted it"), rerun()));
                }
                (format!("{reason} yet"), false)
            }
            Condition::Pending(reason) | Condition::Leaving(reason) => (reason, false),
            Condition::Blocked(reason) => (reason, true),
        };
        if held && self.started.elapsed() > PATIENCE_WITH_OTHERS {
            return Ok(Some(Ended::Held(reason, rerun())));
        }
        match self.sleep(&reason).await {
            true => Ok(None),
            false if held => Ok(Some(Ended::Held(reason, rerun()))),
            false => Err(Ended::Failed(format!("not ready in time: {reason}"), rerun())),
        }
    }

    /// Whether there is time for another try. A reason is told once, and again when it changes.
    async fn sleep(&mut self, reason: &str) -> bool {
        if Instant::now() >= self.shared.deadline {
            return false;
        }
        if self.said != reason {
            self.said = reason.to_string();
            self.shared.send(Event::Waiting { node: self.node.clone(), reason: reason.to_string() });
        }
        tokio::select! {
            () = sleep(self.next) => {}
            () = sleep_until(self.shared.deadline) => {}
        }
        self.next = (self.next * 3 / 2).min(LONGEST_PAUSE);
        true
    }
}
