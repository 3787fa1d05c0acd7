//! The pace at which requests may go: a share of the rates that AWS publishes, so that a run neither collides with them
//! nor takes them from others. All sessions of a run share one bucket per account, Region and category.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex as Line;
use tokio::time::Instant;

use super::calls::is_read;
use super::rates::{self, Rate};
use crate::resources::model::Place;

/// A wait is worth a word once it takes so long.
const WORTH_TELLING: Duration = Duration::from_secs(1);
/// The longest that a category pauses after AWS has throttled it again and again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A request that waited goes a little after its time, for AWS counts when requests arrive, and those before it may have
/// been longer on their way: as long as the longest round trip of its category, within these bounds. All are late by the same,
/// so that none is late because of another.
const LEAST_SLACK: Duration = Duration::from_millis(100);
const MOST_SLACK: Duration = Duration::from_secs(1);

/// Whoever requests are sent for takes part in their waiting: a step of a plan says what it waits for, and lets others go
/// ahead until then.
#[async_trait]
pub trait Requester: Send + Sync {
    /// From now on a request waits for its turn; the reason is given if that takes long. May come again before `starts`.
    fn waits(&self, reason: Option<String>);

    /// A request, which may be a write, has its turn, and is sent when this returns.
    async fn starts(&self, is_write: bool);

    /// A request that was sent has been answered, or will not be.
    fn ends(&self);

    /// After this no request is waited for any more.
    fn deadline(&self) -> Option<Instant>;
}

tokio::task_local! {
    static REQUESTER: Arc<dyn Requester>;
}

/// The requests of this future are sent for somebody.
pub async fn on_behalf_of<F: Future>(requester: Arc<dyn Requester>, requests: F) -> F::Output {
    REQUESTER.scope(requester, requests).await
}

/// Whom the requests of this task are sent for.
pub(super) fn requester() -> Option<Arc<dyn Requester>> {
    REQUESTER.try_with(Arc::clone).ok()
}

/// The pace of a run.
#[derive(Clone)]
pub(super) struct Pace {
    share: f64,
    time: Arc<dyn Time>,
    buckets: Arc<Mutex<Buckets>>,
}

/// By place and category.
type Buckets = BTreeMap<(Place, String), Arc<Bucket>>;

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("share", &self.share).finish_non_exhaustive()
    }
}

/// A request was not sent: its turn did not come before its deadline.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("it was not sent, for it has no time left: it {0}")]
pub(super) struct OutOfTime(pub(super) String);

impl Pace {
    /// Requests may use this share of the rates, by a clock that may run faster: an emulator's does.
    pub(super) fn new(share: f64, time_scale: f64) -> Self {
        Self::in_time(share, Arc::new(RealTime { start: Instant::now(), scale: time_scale }))
    }

    fn in_time(share: f64, time: Arc<dyn Time>) -> Self {
        Self { share, time, buckets: Arc::default() }
    }

    /// The present, as `answered` wants it.
    pub(super) fn now(&self) -> Duration {
        self.time.now()
    }

    /// Waits until a request may be sent, in the order in which turns were asked for.
    pub(super) async fn turn(&self, place: &Place, service: &str, action: &str) -> Result<(), OutOfTime> {
        let buckets = self.buckets(place, service, action);
        let requester = requester();
        let taken = take(&buckets, requester.as_deref(), !is_read(action));
        let Some(deadline) = requester.as_ref().and_then(|requester| requester.deadline()) else {
            taken.await;
            return Ok(());
        };
        let reason = || buckets.first().map_or("waits for other requests of this run".into(), |bucket| bucket.reason());
        tokio::time::timeout_at(deadline, taken).await.map_err(|_| OutOfTime(reason()))
    }

    /// AWS has answered a request that was sent at this moment: it was let through, or throttled though it was its turn,
    /// since others use the account too.
    pub(super) fn answered(&self, place: &Place, service: &str, action: &str, sent: Duration, is_throttled: bool) {
        let buckets = self.buckets(place, service, action);
        buckets.iter().for_each(|bucket| bucket.has_taken(self.now().saturating_sub(sent)));
        // Which of several buckets was empty AWS does not say. The narrowest is; if the wider one was, each of those that
        // share it learns so by itself.
        let Some(bucket) = buckets.first() else { return };
        match is_throttled {
            true => bucket.refused(sent),
            false => bucket.let_through(sent),
        }
    }

    fn buckets(&self, place: &Place, service: &str, action: &str) -> Vec<Arc<Bucket>> {
        let mut known = lock(&self.buckets);
        let bucket = |rate: Rate<'_>| {
            let key = (place.clone(), rate.name.to_string());
            known.entry(key).or_insert_with(|| Arc::new(Bucket::new(rate, self.share, self.time.clone()))).clone()
        };
        rates::of(service, action).into_iter().map(bucket).collect()
    }
}

/// Takes a token out of each bucket. Who has one and waits for the other, or for its requester, stays first in line: not
/// more than one token is held back, and they do not go out all at once.
async fn take(buckets: &[Arc<Bucket>], requester: Option<&dyn Requester>, is_write: bool) {
    let mut lines = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        let line = bucket.line.try_lock().ok();
        if line.is_some() && bucket.try_take().is_ok() {
            lines.extend(line);
            continue;
        }
        let _counted = InLine::behind(bucket);
        if let Some(requester) = requester {
            requester.waits(bucket.lasts_long().then(|| bucket.reason()));
        }
        let line = match line {
            Some(line) => line,
            None => bucket.line.lock().await,
        };
        while let Err(wait) = bucket.try_take() {
            bucket.time.sleep(wait, bucket.longest_trip()).await;
        }
        lines.push(line);
    }
    if let Some(requester) = requester {
        requester.starts(is_write).await;
    }
}

/// One category of one account and Region.
struct Bucket {
    name: String,
    /// What AWS fills it by in a second, and what of that is ours.
    refill: f64,
    ours: f64,
    burst: f64,
    limiter: RateLimiter<NotKeyed, InMemoryState, Ticks, StateInformationMiddleware>,
    /// Whoever holds it goes next; it is handed on in the order in which it was asked for.
    line: Line<()>,
    /// How many requests wait.
    in_line: AtomicU32,
    state: Mutex<State>,
    time: Arc<dyn Time>,
}

#[derive(Debug)]
struct State {
    /// How many tokens there were, and when that was.
    left: (f64, Duration),
    longest_trip: Duration,
    /// After AWS has refused one of its requests the category pauses until then.
    paused_until: Duration,
    /// Refusals in a row, each of a request that was sent after the pause for the one before.
    refusals: u32,
    /// Whether the bucket is still to be emptied, since AWS's is empty.
    empties: bool,
}

impl Bucket {
    fn new(rate: Rate<'_>, share: f64, time: Arc<dyn Time>) -> Self {
        let ours = rate.refill * share;
        let burst = NonZeroU32::new((rate.burst * share) as u32).unwrap_or(NonZeroU32::MIN);
        let period = Duration::from_secs_f64(1.0 / ours);
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(burst)).allow_burst(burst);
        let left = (f64::from(burst.get()), time.now());
        Self {
            name: rate.name.into(),
            refill: rate.refill,
            ours,
            burst: burst.get().into(),
            limiter: RateLimiter::direct_with_clock(quota, Ticks(time.clone())).with_middleware(),
            line: Line::new(()),
            in_line: AtomicU32::new(0),
            state: Mutex::new(State { left, longest_trip: Duration::ZERO, paused_until: Duration::ZERO, refusals: 0, empties: false }),
            time,
        }
    }

    /// Takes a token, or says how long it is until there is one.
    fn try_take(&self) -> Result<(), Duration> {
        let mut state = lock(&self.state);
        let now = self.time.now();
        if now < state.paused_until {
            return Err(state.paused_until - now);
        }
        if std::mem::take(&mut state.empties) {
            // The first after a pause finds out whether it is over; the rest follow at the usual pace.
            while self.limiter.check().is_ok() {}
            state.left = (0.0, now);
            return Ok(());
        }
        let taken = self.limiter.check();
        state.left = (taken.as_ref().map_or(0.0, |left| left.remaining_burst_capacity().into()), now);
        taken.map(|_| ()).map_err(|not_until| not_until.wait_time_from(now.into()))
    }

    /// The category pauses, each time in a row for twice as long. What was sent before a pause began tells nothing new.
    fn refused(&self, sent: Duration) {
        let mut state = lock(&self.state);
        if sent < state.paused_until {
            return;
        }
        let first = Duration::from_secs_f64(1.0 / self.refill);
        let length = first.saturating_mul(2_u32.saturating_pow(state.refusals)).min(LONGEST_PAUSE);
        state.paused_until = self.time.now() + length;
        state.refusals += 1;
        state.empties = true;
    }

    fn has_taken(&self, trip: Duration) {
        let mut state = lock(&self.state);
        state.longest_trip = state.longest_trip.max(trip);
    }

    fn longest_trip(&self) -> Duration {
        lock(&self.state).longest_trip
    }

    fn let_through(&self, sent: Duration) {
        let mut state = lock(&self.state);
        if sent >= state.paused_until {
            state.refusals = 0;
        }
    }

    /// Whether the last in line has to wait for long.
    fn lasts_long(&self) -> bool {
        let state = lock(&self.state);
        let now = self.time.now();
        let pause = state.paused_until.saturating_sub(now);
        let (left, since) = state.left;
        let left = if state.empties { 0.0 } else { (left + now.saturating_sub(since).as_secs_f64() * self.ours).min(self.burst) };
        let missing = (f64::from(self.in_line.load(Ordering::Relaxed)) - left).max(0.0);
        self.time.real(pause + Duration::from_secs_f64(missing / self.ours)) >= WORTH_TELLING
    }

    fn reason(&self) -> String {
        let Self { name, refill, ours, .. } = self;
        if lock(&self.state).refusals > 0 {
            return format!("waits for its turn: AWS throttles {name}, which others in the account use too");
        }
        match ours < refill {
            true => format!("waits for its turn: AWS takes {refill} {name} a second ({} of it ours)", (ours * 1000.0).round() / 1000.0),
            false => format!("waits for its turn: AWS takes {refill} {name} a second"),
        }
    }
}

/// Counts a request among those that wait, for as long as it does.
struct InLine<'a>(&'a Bucket);

impl<'a> InLine<'a> {
    fn behind(bucket: &'a Bucket) -> Self {
        bucket.in_line.fetch_add(1, Ordering::Relaxed);
        Self(bucket)
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.in_line.fetch_sub(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clock of the buckets.
trait Time: Send + Sync {
    /// Since the run began.
    fn now(&self) -> Duration;

    /// The round trips of requests tell how much longer it has to be.
    fn sleep(&self, length: Duration, longest_trip: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// How long that takes by the clock on the wall.
    fn real(&self, length: Duration) -> Duration;
}

fn slack(longest_trip: Duration) -> Duration {
    longest_trip.clamp(LEAST_SLACK, MOST_SLACK)
}

struct RealTime {
    start: Instant,
    scale: f64,
}

impl Time for RealTime {
    fn now(&self) -> Duration {
        self.start.elapsed().mul_f64(self.scale)
    }

    fn sleep(&self, length: Duration, longest_trip: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(self.real(length) + slack(self.real(longest_trip))))
    }

    fn real(&self, length: Duration) -> Duration {
        length.div_f64(self.scale)
    }
}

/// The clock as `governor` reads it.
#[derive(Clone)]
struct Ticks(Arc<dyn Time>);

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.now().into()
    }
}

#[cfg(test)]
#[expect(clippy::panic, clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use futures::FutureExt;
    use futures::future::join_all;

    use super::*;

    /// A clock that whoever sleeps turns forward: right where only one line is waited in.
    #[derive(Clone, Default)]
    struct ManualTime(Arc<Mutex<Duration>>);

    impl ManualTime {
        fn seconds(&self) -> f64 {
            self.now().as_secs_f64()
        }

        fn pass(&self, seconds: f64) {
            *lock(&self.0) += Duration::from_secs_f64(seconds);
        }
    }

    impl Time for ManualTime {
        fn now(&self) -> Duration {
            *lock(&self.0)
        }

        fn sleep(&self, length: Duration, _longest_trip: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            let time = self.clone();
            Box::pin(async move { *lock(&time.0) += length })
        }

        fn real(&self, length: Duration) -> Duration {
            length
        }
    }

    fn pace(share: f64) -> (Pace, ManualTime) {
        let time = ManualTime::default();
        (Pace::in_time(share, Arc::new(time.clone())), time)
    }

    fn place(account: &str) -> Place {
        Place { account: account.into(), region: "us-east-1".into() }
    }

    /// Seconds that so many requests take.
    async fn seconds(share: f64, service: &str, action: &str, requests: usize) -> f64 {
        let (pace, time) = pace(share);
        for _ in 0..requests {
            pace.turn(&place("1"), service, action).await.unwrap();
        }
        (time.seconds() * 100.0).round() / 100.0
    }

    /// What a requester was told.
    #[derive(Default)]
    struct Told {
        calls: Mutex<Vec<String>>,
        deadline: Option<Instant>,
    }

    impl Told {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut lock(&self.calls))
        }
    }

    #[async_trait]
    impl Requester for Told {
        fn waits(&self, reason: Option<String>) {
            lock(&self.calls).push(reason.unwrap_or_else(|| "waits".into()));
        }

        async fn starts(&self, _is_write: bool) {
            lock(&self.calls).push("starts".into());
        }

        fn ends(&self) {}

        fn deadline(&self) -> Option<Instant> {
            self.deadline
        }
    }

    #[tokio::test]
    async fn a_bucket_allows_its_burst_and_then_its_rate() {
        assert_eq!(seconds(1.0, "ec2", "CreateVpcEndpoint", 4).await, 0.0);
        assert_eq!(seconds(1.0, "ec2", "CreateVpcEndpoint", 20).await, 53.33);
        assert_eq!(seconds(1.0, "ecs", "RegisterTaskDefinition", 50).await, 30.0);
        assert_eq!(seconds(1.0, "elasticloadbalancing", "CreateRule", 50).await, 10.0);
        // A little more than 40 at once, as the bucket fills by 10 a second meanwhile.
        assert_eq!(seconds(1.0, "elasticloadbalancing", "DescribeRules", 60).await, 2.0);
        assert_eq!(seconds(1.0, "iam", "CreateRole", 1000).await, 0.0);
    }

    #[tokio::test]
    async fn a_share_leaves_the_rest_of_burst_and_rate_to_others() {
        assert_eq!(seconds(0.8, "ec2", "CreateVpcEndpoint", 3).await, 0.0);
        assert_eq!(seconds(0.8, "ec2", "CreateVpcEndpoint", 4).await, 4.17);
        assert_eq!(seconds(0.5, "ecs", "CreateCluster", 30).await, 40.0);
        // At least one at a time.
        assert_eq!(seconds(0.01, "ec2", "CreateVpcEndpoint", 1).await, 0.0);
        assert_eq!(seconds(0.01, "ec2", "CreateVpcEndpoint", 2).await, 333.33);
    }

    #[tokio::test]
    async fn what_is_not_used_is_saved_up_to_the_burst() {
        let (pace, time) = pace(1.0);
        let all = |requests| {
            let pace = pace.clone();
            async move {
                for _ in 0..requests {
                    pace.turn(&place("1"), "ec2", "CreateVpcEndpoint").await.unwrap();
                }
            }
        };
        all(4).await;
        time.pass(1000.0);
        all(4).await;
        assert_eq!(time.seconds(), 1000.0);
        all(1).await;
        assert!(time.seconds() > 1003.0);
    }

    #[tokio::test]
    async fn each_account_and_region_has_buckets_of_its_own_and_all_sessions_of_one_share_them() {
        let (pace, time) = pace(1.0);
        let session = pace.clone();
        let elsewhere = Place { region: "eu-west-1".into(), ..place("1") };
        for place in [place("1"), place("2"), elsewhere] {
            for _ in 0..4 {
                pace.turn(&place, "ec2", "CreateVpcEndpoint").await.unwrap();
            }
        }
        pace.turn(&place("1"), "ec2", "DeleteVpcEndpoints").await.unwrap();
        assert_eq!(time.seconds(), 0.0);
        session.turn(&place("1"), "ec2", "CreateVpcEndpoint").await.unwrap();
        assert!(time.seconds() > 3.0);
    }

    #[tokio::test]
    async fn load_balancing_draws_on_its_category_and_on_the_bucket_of_all() {
        let (pace, time) = pace(1.0);
        for _ in 0..40 {
            pace.turn(&place("1"), "elasticloadbalancing", "DescribeRules").await.unwrap();
        }
        assert_eq!(time.seconds(), 0.0);
        // The bucket of changes is full, and that of all is empty.
        pace.turn(&place("1"), "elasticloadbalancing", "CreateRule").await.unwrap();
        assert_eq!(time.seconds(), 0.1);
    }

    #[tokio::test]
    async fn turns_are_taken_in_the_order_in_which_they_were_asked_for() {
        let (pace, _) = pace(1.0);
        let order = Mutex::new(Vec::new());
        let requests = (0..20).map(|number| {
            let (pace, order) = (pace.clone(), &order);
            async move {
                pace.turn(&place("1"), "ec2", "CreateVpcEndpoint").await.unwrap();
                lock(order).push(number);
            }
        });
        join_all(requests).await;
        assert_eq!(*lock(&order), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_refusal_makes_the_category_pause_for_all_and_longer_each_time() {
        let (pace, time) = pace(1.0);
        let cluster = "CreateCluster";
        let turn = async || pace.turn(&place("1"), "ecs", cluster).await.unwrap();
        let answered = |sent: Duration, is_throttled| pace.answered(&place("1"), "ecs", cluster, sent, is_throttled);
        turn().await;
        let sent = pace.now();
        answered(sent, true);
        // Another that was under way at the same time tells nothing new.
        answered(sent, true);
        turn().await;
        assert_eq!(time.seconds(), 1.0);
        answered(pace.now(), true);
        turn().await;
        assert_eq!(time.seconds(), 3.0);
        answered(pace.now(), true);
        turn().await;
        assert_eq!(time.seconds(), 7.0);
        // Other categories and accounts go on.
        pace.turn(&place("1"), "ecs", "CreateService").await.unwrap();
        pace.turn(&place("2"), "ecs", cluster).await.unwrap();
        assert_eq!(time.seconds(), 7.0);
        // It is let through, and those behind it follow at the usual pace: AWS's bucket was empty.
        answered(pace.now(), false);
        turn().await;
        turn().await;
        assert_eq!(time.seconds(), 9.0);
        // A new refusal starts anew.
        answered(pace.now(), true);
        turn().await;
        assert_eq!(time.seconds(), 10.0);
    }

    #[tokio::test]
    async fn who_waited_goes_later_by_what_requests_are_on_their_way() {
        let (pace, time) = pace(1.0);
        let answered = |action: &str, milliseconds: u64| {
            let sent = pace.now();
            time.pass(milliseconds as f64 / 1000.0);
            pace.answered(&place("1"), "elasticloadbalancing", action, sent, false);
        };
        let slacks = |action: &str| -> Vec<u128> {
            let buckets = pace.buckets(&place("1"), "elasticloadbalancing", action);
            buckets.iter().map(|bucket| slack(bucket.longest_trip()).as_millis()).collect()
        };
        assert_eq!(slacks("CreateRule"), [100, 100]);
        answered("CreateRule", 300);
        answered("CreateRule", 30);
        assert_eq!(slacks("CreateRule"), [300, 300]);
        assert_eq!(slacks("DescribeRules"), [100, 300]);
        answered("DescribeRules", 2000);
        assert_eq!(slacks("DescribeRules"), [1000, 1000]);
    }

    #[tokio::test]
    async fn no_pause_is_longer_than_half_a_minute() {
        let (pace, time) = pace(1.0);
        for _ in 0..20 {
            pace.turn(&place("1"), "ec2", "CreateVpcEndpoint").await.unwrap();
            pace.answered(&place("1"), "ec2", "CreateVpcEndpoint", pace.now(), true);
        }
        let before = pace.now();
        pace.turn(&place("1"), "ec2", "CreateVpcEndpoint").await.unwrap();
        assert_eq!(time.now() - before, LONGEST_PAUSE);
    }

    #[tokio::test]
    async fn a_requester_is_told_of_waits_and_why_where_they_take_long() {
        let told = Arc::new(Told::default());
        let (pace, _) = pace(0.8);
        let turn = async |service, action| on_behalf_of(told.clone(), pace.turn(&place("1"), service, action)).await.unwrap();
        for _ in 0..3 {
            turn("ec2", "CreateVpcEndpoint").await;
        }
        assert_eq!(told.take(), ["starts"; 3], "nobody had to wait");
        turn("ec2", "CreateVpcEndpoint").await;
        assert_eq!(told.take(), ["waits for its turn: AWS takes 0.3 CreateVpcEndpoint a second (0.24 of it ours)", "starts"]);
        // A fraction of a second is not worth a word.
        for _ in 0..33 {
            turn("elasticloadbalancing", "DescribeRules").await;
        }
        assert_eq!(told.take()[31..], ["starts", "waits", "starts"]);
        pace.answered(&place("1"), "ec2", "CreateVpcEndpoint", pace.now(), true);
        turn("ec2", "CreateVpcEndpoint").await;
        assert_eq!(told.take()[0], "waits for its turn: AWS throttles CreateVpcEndpoint, which others in the account use too");
    }

    /// It is behind others for a moment, and there is a token for it.
    #[tokio::test]
    async fn who_is_behind_others_is_told_only_where_the_bucket_will_be_empty() {
        let told = Arc::new(Told::default());
        let (pace, _) = pace(1.0);
        let bucket = pace.buckets(&place("1"), "ec2", "CreateVpcEndpoint").remove(0);
        let first = bucket.line.lock().await;
        let here = place("1");
        let turns = (0..6).map(|_| on_behalf_of(told.clone(), pace.turn(&here, "ec2", "CreateVpcEndpoint")));
        let mut turns = Box::pin(join_all(turns));
        assert!(futures::poll!(&mut turns).is_pending());
        let reason = "waits for its turn: AWS takes 0.3 CreateVpcEndpoint a second";
        assert_eq!(told.take(), ["waits", "waits", "waits", "waits", reason, reason]);
        drop(first);
        turns.await;
        assert_eq!(told.take(), ["starts"; 6]);
    }

    #[tokio::test]
    async fn nobody_waits_beyond_a_deadline() {
        let told = Arc::new(Told { deadline: Some(Instant::now()), ..Told::default() });
        // The clock on the wall: a turn comes after a second and more.
        let pace = Pace::new(1.0, 1.0);
        let turn = async || on_behalf_of(told.clone(), pace.turn(&place("1"), "ecs", "CreateCluster")).await;
        for _ in 0..20 {
            assert_eq!(turn().await, Ok(()), "what need not wait is sent");
        }
        let Err(error) = turn().await else { panic!("there was time") };
        assert_eq!(
            error.to_string(),
            "it was not sent, for it has no time left: it waits for its turn: AWS takes 1 ECS cluster change a second"
        );
        // It has left the line.
        assert!(pace.turn(&place("1"), "ecs", "CreateService").now_or_never().is_some());
        assert_eq!(pace.buckets(&place("1"), "ecs", "CreateCluster")[0].in_line.load(Ordering::Relaxed), 0);
    }
}
