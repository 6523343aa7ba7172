//! What a deployment suffers while clients work, chosen by a seed: kills, freezes, cuts, silence, and a database that crashes.
//! After each fault everything is healed, and somebody must be served again: a fault that stops the lake for good is found.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    deployment::{Deployment, Files},
    fake_s3::{Fault as BucketFault, Verb, Where},
    harness::process::{CONT, STOP, signal},
    ledger::Ledger,
    random::Random,
    tcp_proxy::Way,
};

/// Writes that others make while a fault lasts.
const MEANWHILE: usize = 15;
/// A fault that stops everybody ends after this.
const FAULT_LIMIT: Duration = Duration::from_secs(4);
/// A frozen server that holds a lease is frozen past it, when the seed says so.
const LONG_LIMIT: Duration = Duration::from_secs(12);
/// Longer than a lease, and than an operation on a bucket is tried again.
const OUTAGE: Duration = Duration::from_secs(15);
/// Within this somebody must be served again: takeovers and repetitions included.
const RECOVERY_LIMIT: Duration = Duration::from_secs(120);

/// A fault; the number is the member it happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL, and a start.
    Kill(usize),
    /// SIGTERM, and a start.
    Stop(usize),
    /// SIGSTOP, shorter than a lease.
    Freeze(usize),
    /// SIGSTOP, longer than a lease: a zombie.
    Zombie(usize),
    /// Its clients' connections are reset.
    CutClients(usize),
    /// The reply to a client's INSERT is swallowed.
    LoseReply(usize),
    /// A client's connection is cut after some bytes.
    CutRequest(usize),
    /// Nothing passes between it and its clients.
    SilentClients(usize),
    /// Everything to its clients is late.
    SlowClients(usize),
    /// Its connections to PostgreSQL are reset.
    CutCatalog(usize),
    /// The reply to its COMMIT is swallowed.
    LoseCommit(usize),
    /// Nothing passes between it and PostgreSQL.
    SilentCatalog(usize),
    /// PostgreSQL takes no new connections of it, and the old ones are reset.
    RefuseCatalog(usize),
    /// Everything between it and PostgreSQL is late.
    SlowCatalog(usize),
    /// PostgreSQL is stopped as if its machine had failed, and started.
    CrashCatalog,
    /// PostgreSQL is stopped in order, stays away for a while, and is started.
    RestartCatalog,
    /// PostgreSQL is frozen with all its processes.
    FreezeCatalog,
    /// Its connections to the bucket are reset.
    CutStore(usize),
    /// Nothing passes between it and the bucket.
    SilentStore(usize),
    /// The bucket takes no new connections of it, and the old ones are reset.
    RefuseStore(usize),
    /// Everything between it and the bucket is late.
    SlowStore(usize),
    /// The reply to one of its PUTs is swallowed.
    LosePut(usize),
    /// The bucket answers 503 to everybody.
    StoreFails,
    /// The bucket gives other bytes, and fewer bytes, than were stored.
    StoreLies,
    /// The bucket is away for everybody, for longer than a lease and all that is tried again.
    StoreOutage,
}

impl Fault {
    /// One of all, for one of the members; those of the bucket where there is one.
    #[must_use]
    pub fn choose(random: &mut Random, members: usize, gateways: usize, files: Files) -> Self {
        let any = random.below(members);
        let gateway = random.below(gateways);
        match random.below(if files == Files::Bucket { 31 } else { 21 }) {
            0..3 => Self::Kill(any),
            3 => Self::Stop(any),
            4 | 5 => Self::Freeze(any),
            6 => Self::Zombie(any),
            7 => Self::CutClients(gateway),
            8 | 9 => Self::LoseReply(gateway),
            10 => Self::CutRequest(gateway),
            11 => Self::SilentClients(gateway),
            12 => Self::SlowClients(gateway),
            13 => Self::CutCatalog(any),
            14 => Self::LoseCommit(any),
            15 => Self::SilentCatalog(any),
            16 => Self::RefuseCatalog(any),
            17 => Self::CrashCatalog,
            18 => Self::RestartCatalog,
            19 => Self::FreezeCatalog,
            20 => Self::SlowCatalog(any),
            21 => Self::CutStore(any),
            22 => Self::SilentStore(any),
            23 => Self::RefuseStore(any),
            24 => Self::SlowStore(any),
            25 | 26 => Self::LosePut(any),
            27 | 28 => Self::StoreFails,
            29 => Self::StoreLies,
            _ => Self::StoreOutage,
        }
    }

    /// Its kind, without the member.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill",
            Self::Stop(_) => "stop",
            Self::Freeze(_) => "freeze",
            Self::Zombie(_) => "zombie",
            Self::CutClients(_) => "cut clients",
            Self::LoseReply(_) => "lost reply to a client",
            Self::CutRequest(_) => "cut request",
            Self::SilentClients(_) => "silence to clients",
            Self::SlowClients(_) => "slow clients",
            Self::CutCatalog(_) => "cut from Postgres",
            Self::LoseCommit(_) => "lost reply to COMMIT",
            Self::SilentCatalog(_) => "silence to Postgres",
            Self::RefuseCatalog(_) => "refused by Postgres",
            Self::SlowCatalog(_) => "slow Postgres",
            Self::CrashCatalog => "crash of Postgres",
            Self::RestartCatalog => "restart of Postgres",
            Self::FreezeCatalog => "frozen Postgres",
            Self::CutStore(_) => "cut from the store",
            Self::SilentStore(_) => "silence to the store",
            Self::RefuseStore(_) => "refused by the store",
            Self::SlowStore(_) => "slow store",
            Self::LosePut(_) => "lost reply to PUT",
            Self::StoreFails => "503 of the store",
            Self::StoreLies => "other bytes of the store",
            Self::StoreOutage => "outage of the store",
        }
    }
}

/// Faults injected, by kind.
#[derive(Clone, Debug, Default)]
pub struct Injected(BTreeMap<&'static str, u32>);

impl Injected {
    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.values().sum()
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(kind, n)| *self.0.entry(kind).or_default() += n);
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.0.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        write!(f, "{} ({})", self.total(), kinds.join(", "))
    }
}

/// Injects faults into a deployment whose clients keep that ledger.
pub struct Nemesis<'a> {
    deployment: &'a mut Deployment,
    ledger: Arc<Ledger>,
    injected: Injected,
}

impl<'a> Nemesis<'a> {
    /// One that has done nothing yet.
    #[must_use]
    pub fn new(deployment: &'a mut Deployment, ledger: &Arc<Ledger>) -> Self {
        Self { deployment, ledger: ledger.clone(), injected: Injected::default() }
    }

    /// What it did.
    #[must_use]
    pub fn injected(&self) -> &Injected {
        &self.injected
    }

    /// One fault, its end, and the recovery.
    ///
    /// # Panics
    /// When nobody is served after it, or a server ended by itself.
    pub async fn strike(&mut self, fault: Fault) {
        let before = self.ledger.acknowledged();
        let begun = Instant::now();
        self.begin(fault).await;
        *self.injected.0.entry(fault.kind()).or_default() += 1;
        if let Some(bucket) = &self.deployment.bucket {
            bucket.heal();
        }
        for member in &mut self.deployment.members {
            member.heal();
            let ended = member.server.has_ended();
            assert!(!ended, "{} ended by itself after {fault:?}:\n{}", member.name, member.server.log());
        }
        let healed = self.ledger.acknowledged();
        let served = self.progress(healed + MEANWHILE, RECOVERY_LIMIT).await;
        assert!(served, "nobody is served within {RECOVERY_LIMIT:?} after {fault:?}");
        let (meanwhile, after) = (healed - before, self.ledger.acknowledged() - healed);
        println!("{fault:?}: {:.1} s, {meanwhile} writes meanwhile, {after} after", begun.elapsed().as_secs_f64());
    }

    async fn begin(&mut self, fault: Fault) {
        let target = self.ledger.acknowledged() + MEANWHILE;
        match fault {
            Fault::Kill(n) => {
                self.deployment.members[n].server.kill();
                self.progress(target, FAULT_LIMIT).await;
                self.deployment.members[n].restart();
            }
            Fault::Stop(n) => {
                assert!(self.deployment.members[n].server.stop().success(), "{fault:?}: exit code 0");
                self.deployment.members[n].restart();
            }
            Fault::Freeze(n) => self.freeze(n, target, FAULT_LIMIT / 2).await,
            Fault::Zombie(n) => self.freeze(n, usize::MAX, LONG_LIMIT).await,
            Fault::CutClients(n) => self.deployment.members[n].front.cut_all(),
            Fault::LoseReply(n) => {
                let front = &self.deployment.members[n].front;
                let lost = front.dropped_replies();
                front.drop_reply(b"INSERT INTO");
                until(FAULT_LIMIT, || front.dropped_replies() > lost).await;
            }
            Fault::CutRequest(n) => {
                let front = &self.deployment.members[n].front;
                front.cut_after(Way::ToServer, 4000 + (target as u64 * 131) % 20_000);
                self.progress(target, FAULT_LIMIT).await;
            }
            Fault::SilentClients(n) => {
                self.deployment.members[n].front.blackhole_all(true);
                self.progress(target, FAULT_LIMIT).await;
            }
            Fault::SlowClients(n) => {
                self.deployment.members[n].front.delay(Way::ToClient, Duration::from_millis(200));
                self.progress(target, FAULT_LIMIT).await;
            }
            Fault::CutCatalog(n) => self.deployment.members[n].back.cut_all(),
            Fault::LoseCommit(n) => {
                let back = &self.deployment.members[n].back;
                let lost = back.dropped_replies();
                back.drop_reply(b"COMMIT");
                until(FAULT_LIMIT, || back.dropped_replies() > lost).await;
            }
            Fault::SilentCatalog(n) => {
                self.deployment.members[n].back.blackhole_all(true);
                self.progress(target, FAULT_LIMIT).await;
            }
            Fault::RefuseCatalog(n) => {
                self.deployment.members[n].back.refuse(true);
                self.deployment.members[n].back.cut_all();
                self.progress(target, FAULT_LIMIT).await;
            }
            Fault::SlowCatalog(n) => {
                for way in [Way::ToServer, Way::ToClient] {
                    self.deployment.members[n].back.delay(way, Duration::from_millis(100));
                }
                self.progress(target, FAULT_LIMIT).await;
            }
            Fault::CrashCatalog => {
                self.deployment.postgres.stop_immediately();
                self.deployment.postgres.start_again();
            }
            Fault::RestartCatalog => {
                self.deployment.postgres.stop();
                self.progress(usize::MAX, FAULT_LIMIT / 2).await;
                self.deployment.postgres.start_again();
            }
            Fault::FreezeCatalog => {
                self.deployment.postgres.freeze(true);
                self.progress(usize::MAX, FAULT_LIMIT).await;
                self.deployment.postgres.freeze(false);
            }
            of_store => self.begin_at_store(of_store, target).await,
        }
    }

    async fn begin_at_store(&self, fault: Fault, target: usize) {
        let members = &self.deployment.members;
        let store = |n: usize| members[n].store.as_ref().expect("a bucket");
        let bucket = self.deployment.bucket.as_ref().expect("a bucket");
        match fault {
            Fault::CutStore(n) => store(n).cut_all(),
            Fault::SilentStore(n) => store(n).blackhole_all(true),
            Fault::RefuseStore(n) => {
                store(n).refuse(true);
                store(n).cut_all();
            }
            Fault::SlowStore(n) => {
                for way in [Way::ToServer, Way::ToClient] {
                    store(n).delay(way, Duration::from_millis(150));
                }
            }
            Fault::LosePut(n) => {
                let lost = store(n).dropped_replies();
                store(n).drop_reply(b"PUT /");
                until(FAULT_LIMIT, || store(n).dropped_replies() > lost).await;
                return;
            }
            Fault::StoreFails => bucket.on(Where::any().times(60), BucketFault::Status(503)),
            Fault::StoreLies => {
                let all =
                    [BucketFault::Corrupt, BucketFault::Truncate(100), BucketFault::Cut(50), BucketFault::ErrorIn200];
                for (n, fault) in (1..).zip(all) {
                    bucket.on(Where::verb(Verb::Get).nth(2 * n), fault);
                }
            }
            _ => {
                members.iter().enumerate().for_each(|(n, _)| {
                    store(n).refuse(true);
                    store(n).cut_all();
                });
                self.progress(usize::MAX, OUTAGE).await;
                return;
            }
        }
        self.progress(target, FAULT_LIMIT).await;
    }

    async fn freeze(&self, member: usize, target: usize, limit: Duration) {
        let pid = self.deployment.members[member].server.pid();
        assert!(signal(pid, STOP), "a running server");
        self.progress(target, limit).await;
        assert!(signal(pid, CONT), "a frozen server");
    }

    /// Waits until so many writes are acknowledged, or the limit; whether they are.
    async fn progress(&self, target: usize, limit: Duration) -> bool {
        until(limit, || self.ledger.acknowledged() >= target).await
    }
}

/// Waits until it is so, or the limit; whether it is.
async fn until(limit: Duration, is: impl Fn() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !is() {
        if Instant::now() > end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    true
}
