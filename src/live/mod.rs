//! What exists: one snapshot per place, read in as few calls as the API allows. It has nothing that writes.

mod floor;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use futures::{StreamExt, TryStreamExt, stream, try_join};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::aws::{AwsError, Class, Reader};
use crate::estate::{Facts, ForeignListener, names};
use crate::resources::model::{Condition, Fields, Key, Live, Place, Scope};
use crate::resources::{Depth, Kind, ReadScope, Reading, Stage, elb_tags, foreign, listener_rule, prefix_lists, service, task_definition};
pub use floor::floor;

/// A place to read, and what for.
#[derive(Debug, Clone)]
pub struct Request {
    pub reader: Reader,
    pub scope: ReadScope,
    /// Tiers and cells that it is for.
    pub cells: BTreeSet<(String, String)>,
}

impl Request {
    /// Whether it is the one that reads this scope: a place may be read with several credentials, each for cells of its own.
    fn is_for(&self, scope: &Scope) -> bool {
        self.cells.contains(&(scope.tier.clone(), scope.cell.clone()))
    }
}

/// Cells that could not be read, by what was asked for at once, and why.
pub type Lost = Vec<(BTreeSet<(String, String)>, AwsError)>;

/// Reads all places at once.
pub async fn read(requests: &[Request]) -> Result<Vec<Live>, AwsError> {
    let places = try_join_all(requests.iter().map(read_place)).await?;
    Ok(joined(requests.iter().zip(places).collect(), requests))
}

/// The same where one that fails, or takes longer than this, does not hold the others.
pub async fn read_each(requests: &[Request], longest: Duration) -> (Vec<Live>, Lost) {
    // A task each: beside each other in one, an answer for one place would wake them all. They end with this one.
    let mut tasks = JoinSet::new();
    for (index, request) in requests.iter().cloned().enumerate() {
        tasks.spawn(async move { (index, within(longest, request.reader.place(), read_place(&request)).await) });
    }
    let mut read: BTreeMap<usize, Result<Vec<Live>, AwsError>> = BTreeMap::new();
    while let Some(ended) = tasks.join_next().await {
        read.extend(ended);
    }
    let (mut places, mut lost) = (Vec::new(), Lost::new());
    for (index, request) in requests.iter().enumerate() {
        let place = request.reader.place();
        let broken_off = || Err(AwsError::new("the reading", place, Class::Service, "it was broken off by an error in tierctl"));
        match read.remove(&index).unwrap_or_else(broken_off) {
            Ok(found) => places.push((request, found)),
            Err(error) => lost.push((request.cells.clone(), error)),
        }
    }
    (joined(places, requests), lost)
}

/// A part of reading a place, given up after this long.
pub async fn within<T>(longest: Duration, place: &Place, part: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
    timeout(longest, part).await.unwrap_or_else(|_| {
        let message = format!("it did not answer within {}", humantime::format_duration(longest));
        Err(AwsError::new("the reading", place, Class::Unreachable, message))
    })
}

fn joined(places: Vec<(&Request, Vec<Live>)>, requests: &[Request]) -> Vec<Live> {
    // Where one place is read with several credentials, each tier is whole in the answer of its own.
    let is_anothers = |request: &Request, live: &Live| {
        let others: Vec<&Request> = requests.iter().filter(|other| other.reader.place() == request.reader.place()).collect();
        let asks = |scope: &Scope| others.iter().any(|other| other.scope.wants(scope));
        others.len() > 1 && live.owner().is_some_and(|key| !request.scope.wants(&key.scope) && asks(&key.scope))
    };
    let pairs = places.into_iter().flat_map(|(request, found)| found.into_iter().map(move |live| (request, live)));
    let mut live: Vec<Live> = pairs.filter(|(request, live)| !is_anothers(request, live)).map(|(_, live)| live).collect();
    keep_each_once(&mut live);
    live
}

/// Roles are an account's, not a Region's: two cells of one account read the same ones. And two services may run one revision.
fn keep_each_once(live: &mut Vec<Live>) {
    live.sort_by(|a, b| (a.kind, &a.id, &a.place).cmp(&(b.kind, &b.id, &b.place)));
    live.dedup_by(|a, b| a.kind == b.kind && a.id == b.id);
}

/// Reads what one kind has in a scope again, and what it is found through.
pub async fn read_again(request: &Request, kind: Kind, of: &Scope, name: Option<&str>) -> Result<Vec<Live>, AwsError> {
    let mut needed = vec![kind];
    let mut next = 0;
    while let Some(through) = needed.get(next).map(|kind| kind.resource().found_through()) {
        needed.extend(through);
        next += 1;
    }
    let mut scope = request.scope.narrowed_to(of);
    scope.without = Kind::ALL.iter().copied().filter(|other| !needed.contains(other)).collect();
    // One of several of an identity has a name that no spec takes.
    if let Some(name) = name {
        scope.take_name(kind, name, of);
    }
    if let Some(tenant) = &of.tenant {
        scope.take_name(Kind::Cluster, names::cluster_of(of, tenant), of);
    }
    let request = Request { reader: request.reader.clone(), scope, cells: request.cells.clone() };
    let mut found = match kind {
        Kind::ListenerRule => read_place(&request).await?,
        _ => read_stages(&request.reader, &request.scope).await?,
    };
    found.retain(|live| live.kind == kind);
    Ok(found)
}

async fn read_place(request: &Request) -> Result<Vec<Live>, AwsError> {
    let Request { reader, scope, .. } = request;
    let mut found = read_stages(reader, scope).await?;
    let left_behind = listener_rule::left_behind(&Reading { aws: reader, place: reader.place(), scope, found: &found }).await?;
    found.extend(left_behind);
    if scope.is_narrow() {
        found.retain(|live| live.owner().is_none_or(|key| scope.shows(&key.scope)) || holds_name(live, scope));
    }
    Ok(found)
}

async fn read_stages(reader: &Reader, scope: &ReadScope) -> Result<Vec<Live>, AwsError> {
    let found = read_stage(reader, scope, Stage::First, &[]).await?;
    // One request for each tenant, in a bucket of their own, and one for each thing that is read in detail: the stages do not
    // wait for them.
    let clusters: Vec<Live> = found.iter().filter(|live| live.kind == Kind::Cluster).cloned().collect();
    let beside = read_stage(reader, scope, Stage::Beside, &clusters);
    let first = Reading { aws: reader, place: reader.place(), scope, found: &found };
    let kinds = Kind::ALL.iter().map(|kind| kind.resource());
    let details: Vec<_> = kinds
        .flat_map(|kind| kind.in_detail(&first).into_iter().map(move |id| (kind, id)))
        .map(|(kind, id)| async move { Ok::<_, AwsError>((kind.details(reader, &id).await?, id)) })
        .collect();
    let details = stream::iter(details).buffered(reader.at_once()).try_collect::<Vec<_>>();
    let (mut found, beside, details) = try_join!(read_further(reader, scope, found), beside, details)?;
    let mut details: BTreeMap<String, Fields> = details.into_iter().map(|(fields, id)| (id, fields)).collect();
    for live in &mut found {
        live.fields.extend(details.remove(&live.id).unwrap_or_default());
    }
    found.extend(beside);
    Ok(found)
}

async fn read_further(reader: &Reader, scope: &ReadScope, mut found: Vec<Live>) -> Result<Vec<Live>, AwsError> {
    for stage in [Stage::Second, Stage::Third, Stage::Last] {
        if stage == Stage::Last {
            fill_tags(reader, scope, &mut found).await?;
        }
        let read = read_stage(reader, scope, stage, &found).await?;
        found.extend(read);
    }
    Ok(found)
}

async fn read_stage(reader: &Reader, scope: &ReadScope, stage: Stage, found: &[Live]) -> Result<Vec<Live>, AwsError> {
    let reading = Reading { aws: reader, place: reader.place(), scope, found };
    let kinds = Kind::ALL.iter().filter(|kind| kind.resource().stage() == stage && !scope.without.contains(kind));
    let read: Result<Vec<Vec<Live>>, AwsError> = join_all(kinds.map(|kind| kind.resource().read(&reading))).await.into_iter().collect();
    Ok(read?.into_iter().flatten().collect())
}

fn holds_name(live: &Live, scope: &ReadScope) -> bool {
    live.name.as_deref().is_some_and(|name| scope.wants_name(live.kind, name))
}

/// Load balancing gives tags by a call of their own, 20 things at a time: those of all kinds together.
async fn fill_tags(reader: &Reader, scope: &ReadScope, found: &mut [Live]) -> Result<(), AwsError> {
    let is_tagged_apart = |live: &Live| {
        matches!(live.kind, Kind::LoadBalancer | Kind::Listener | Kind::TargetGroup | Kind::ListenerRule) && live.tags.is_empty()
    };
    let groups: Vec<String> = found.iter().filter(|live| live.kind == Kind::TargetGroup).map(|live| live.id.clone()).collect();
    let arns: Vec<String> = found
        .iter()
        .filter(|live| is_tagged_apart(live))
        // For one tenant the rules of its neighbours need no owner.
        .filter(|live| live.kind != Kind::ListenerRule || !scope.is_narrow() || may_be_a_tenants(live, scope, &groups))
        .map(|live| live.id.clone())
        .collect();
    let mut tags = elb_tags::read(reader, &arns).await?;
    let asked: BTreeSet<String> = arns.into_iter().collect();
    for live in found.iter_mut().filter(|live| is_tagged_apart(live)) {
        if !asked.contains(&live.id) {
            live.fields.insert(listener_rule::WHOSE.into(), true.into());
        }
        live.tags = tags.remove(&live.id).unwrap_or_default();
        if live.kind == Kind::ListenerRule && live.owner().is_some_and(|key| !scope.shows(&key.scope)) {
            tell_group(live);
        }
    }
    Ok(())
}

/// Whether a rule may be one of the tenants': it leads to a target group of theirs or to none, as somebody may have made
/// it, or it matches requests that are to be theirs.
fn may_be_a_tenants(rule: &Live, scope: &ReadScope, groups: &[String]) -> bool {
    let overlaps = || {
        let shape = rule.shape::<listener_rule::ListenerRule>();
        shape.is_ok_and(|shape| scope.routes.iter().any(|(_, route)| listener_rule::overlap(route, &shape.conditions)))
    };
    scope.tells_all_rules || rule.text("target_group_arn").is_none_or(|arn| groups.iter().any(|group| group == arn)) || overlaps()
}

/// Keeps of a rule's tags no more than the infra group whose tenant has it, if a tenant has.
fn tell_group(rule: &mut Live) {
    let group = rule.owner().map(|key| key.scope.without_tenant().to_string());
    rule.fields.insert(listener_rule::WHOSE.into(), group.into());
    rule.tags.clear();
}

/// Reads whose the rules are whose tags were left out: from now on each counts in the infra group of its tenant only, and
/// one that is no tenant's in none. One place that fails, or takes longer than this, does not hold the others.
pub async fn tell_tenants_rules(requests: &[Request], live: &mut [Live], longest: Duration) -> Lost {
    let readers: BTreeMap<&Place, &Reader> = requests.iter().map(|request| (request.reader.place(), &request.reader)).collect();
    let reads = readers.iter().map(|(place, reader)| {
        let unread = |item: &&Live| item.fields.get(listener_rule::WHOSE) == Some(&true.into()) && item.place == **place;
        let arns: Vec<String> = live.iter().filter(unread).map(|item| item.id.clone()).collect();
        within(longest, place, async move { Ok((elb_tags::read(reader, &arns).await?, arns)) })
    });
    let read = join_all(reads.collect::<Vec<_>>()).await;
    let mut lost = Lost::new();
    for (place, read) in readers.into_keys().zip(read) {
        match read {
            Ok((mut tags, arns)) => {
                for item in live.iter_mut().filter(|item| arns.contains(&item.id)) {
                    item.tags = tags.remove(&item.id).unwrap_or_default();
                    tell_group(item);
                }
            }
            Err(error) => {
                let here = requests.iter().filter(|request| request.reader.place() == place);
                lost.push((here.flat_map(|request| request.cells.iter().cloned()).collect(), error));
            }
        }
    }
    lost
}

/// Reads what is known by its tags alone, and is wanted whole, in its place: of a service also what it runs. One place that fails,
/// or takes longer than this, does not hold the others.
pub async fn read_whole(requests: &[Request], wanted: &BTreeSet<(Key, String)>, live: &mut Vec<Live>, longest: Duration) -> Lost {
    let found = requests.iter().map(|request| within(longest, request.reader.place(), read_whole_in(request, wanted, live)));
    let found = join_all(found.collect::<Vec<_>>()).await;
    let mut lost = Lost::new();
    for (request, found) in requests.iter().zip(found) {
        match found {
            Ok(Whole { of, found }) => {
                live.retain(|item| !matches!(item.kind, Kind::Service | Kind::TaskDefinition) || !is_of(item, &of));
                // One that is gone by now stays as its service's tags have it.
                let read: BTreeSet<(Kind, &str)> = found.iter().map(|whole| (whole.kind, whole.id.as_str())).collect();
                live.retain(|item| !item.is_summary() || !read.contains(&(item.kind, item.id.as_str())));
                live.extend(found);
            }
            Err(error) => lost.push((request.cells.clone(), error)),
        }
    }
    keep_each_once(live);
    lost
}

/// What was read whole.
struct Whole {
    /// The tenants whose services were.
    of: BTreeSet<Scope>,
    found: Vec<Live>,
}

fn is_of(item: &Live, tenants: &BTreeSet<Scope>) -> bool {
    item.owner().is_some_and(|key| tenants.contains(&key.scope))
}

async fn read_whole_in(request: &Request, wanted: &BTreeSet<(Key, String)>, live: &[Live]) -> Result<Whole, AwsError> {
    let wanted = |kind: Kind| wanted.iter().filter(move |(key, _)| key.kind == kind && request.is_for(&key.scope));
    let of: BTreeSet<Scope> = wanted(Kind::Service).map(|(key, _)| key.scope.clone()).collect();
    let place = request.reader.place();
    let clusters: Vec<Live> =
        live.iter().filter(|item| item.kind == Kind::Cluster && item.place == *place && is_of(item, &of)).cloned().collect();
    let scope = ReadScope { depth: Depth::Standard, ..request.scope.clone() };
    let services = read_stage(&request.reader, &scope, Stage::Beside, &clusters);
    let summaries = wanted(Kind::TaskDefinition).filter_map(|(key, arn)| {
        let is_it = |item: &&Live| item.kind == Kind::TaskDefinition && item.id == *arn && item.place == *place;
        live.iter().find(|item| is_it(item) && item.owner().as_ref() == Some(key))
    });
    let described = summaries.map(|summary| async move {
        let described = task_definition::describe(&request.reader, place, &summary.id).await?;
        Ok::<_, AwsError>(described.map(|described| Live { fields: described.fields, ..summary.clone() }))
    });
    let described = stream::iter(described.collect::<Vec<_>>()).buffered(request.reader.at_once()).try_collect::<Vec<_>>();
    let (mut found, described) = try_join!(services, described)?;
    found.extend(described.into_iter().flatten());
    Ok(Whole { of, found })
}

/// Looks at the targets of every service, so that its condition says whether requests reach it. One place that fails, or takes
/// longer than this, does not hold the others.
pub async fn read_health(requests: &[Request], live: &mut [Live], longest: Duration) -> Lost {
    let looks = requests.iter().map(|request| {
        let is_asked = |item: &&Live| {
            let is_running = item.kind == Kind::Service && item.condition == Condition::Ready;
            is_running && item.place == *request.reader.place() && item.owner().is_some_and(|key| request.is_for(&key.scope))
        };
        let looks = live.iter().filter(is_asked).map(|service| async move {
            let health = service::health(&request.reader, service).await?;
            Ok::<_, AwsError>((service.id.clone(), (!health.ready).then_some(health.text)))
        });
        let looks = stream::iter(looks.collect::<Vec<_>>()).buffer_unordered(request.reader.at_once());
        within(longest, request.reader.place(), looks.try_collect::<Vec<_>>())
    });
    let looked = join_all(looks.collect::<Vec<_>>()).await;
    let (mut reasons, mut lost) = (BTreeMap::new(), Lost::new());
    for (request, looked) in requests.iter().zip(looked) {
        match looked {
            Ok(looked) => reasons.extend(looked),
            Err(error) => lost.push((request.cells.clone(), error)),
        }
    }
    for service in live.iter_mut().filter(|item| item.kind == Kind::Service) {
        if let Some(reason) = reasons.remove(&service.id).flatten() {
            service.condition = Condition::Pending(reason);
        }
    }
    lost
}

/// What has to be looked up in a place before its estate is known.
#[derive(Debug, Clone)]
pub struct Lookup {
    pub reader: Reader,
    /// Tiers and cells that it is for.
    pub cells: BTreeSet<(String, String)>,
    pub prefix_lists: std::collections::BTreeSet<String>,
    pub listeners: std::collections::BTreeSet<String>,
    pub vpcs: std::collections::BTreeSet<String>,
}

pub async fn look_up(lookups: &[Lookup], longest: Duration) -> (Facts, Lost) {
    let (mut facts, mut lost) = (Facts::default(), Lost::new());
    let found = lookups.iter().map(|lookup| within(longest, lookup.reader.place(), look_up_place(lookup)));
    for (lookup, found) in lookups.iter().zip(join_all(found).await) {
        match found {
            Ok(found) => {
                facts.prefix_lists.extend(found.prefix_lists);
                facts.listeners.extend(found.listeners);
                facts.vpcs.extend(found.vpcs);
            }
            Err(error) => lost.push((lookup.cells.clone(), error)),
        }
    }
    (facts, lost)
}

async fn look_up_place(lookup: &Lookup) -> Result<Facts, AwsError> {
    let reader = &lookup.reader;
    let (lists, listeners, vpcs) = futures::try_join!(
        prefix_lists::ids(reader, &lookup.prefix_lists),
        try_join_all(
            lookup
                .listeners
                .iter()
                .map(|arn| async move { Ok::<(String, ForeignListener), AwsError>((arn.clone(), foreign::listener(reader, arn).await?)) })
        ),
        foreign::vpc_blocks(reader, &lookup.vpcs),
    )?;
    Ok(Facts {
        prefix_lists: lists.into_iter().map(|(name, id)| ((reader.place().clone(), name), id)).collect(),
        listeners: listeners.into_iter().collect(),
        vpcs,
    })
}
