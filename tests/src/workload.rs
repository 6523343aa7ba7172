//! Clients of several gateways that write, repeat, read behind barriers and read the past, until they are told to end. What
//! they do and hear goes into a ledger; they judge only whether an error is one that a failing deployment may give.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    harness::Client,
    ledger::{Kind, Ledger, OpId, Outcome, ReadEnd, Try, attempt},
    random::Random,
};

/// A client gives up on an answer after this; what it asked for may still happen.
const PATIENCE: Duration = Duration::from_secs(8);
/// Reads wait for barriers, and those for a takeover.
const READ_PATIENCE: Duration = Duration::from_secs(30);
/// How long an operation with a key is repeated until its outcome is known.
const REPEAT_FOR: Duration = Duration::from_secs(90);
/// Between two connections to gateways that refuse.
const PAUSE: Duration = Duration::from_millis(50);
/// Errors that a deployment with a fault may give: shutdown, lost workers, no connection, no room, timeouts.
const HONEST: [&str; 8] = ["08", "53", "57014", "57P01", "57P02", "57P03", "40001", "MD001"];
/// The bucket could not be read or written: a definite error.
const OF_STORE: &str = "58030";
/// The snapshot was ended.
const EXPIRED: &str = "MD004";
/// Rows of a COPY that is staged.
const LARGE: u32 = 400_000;

/// Who does what.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Clients that write.
    pub writers: u32,
    /// Clients that read behind a barrier over all that is acknowledged.
    pub readers: u32,
    /// Clients that read snapshots of the past.
    pub travellers: u32,
    /// Whether some COPYs are so large that their files are stored while they arrive.
    pub large: bool,
    /// Whether a client ends old snapshots, and how old they are.
    pub expires: Option<&'static str>,
}

/// The running clients.
pub struct Workload {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What every client knows.
#[derive(Clone)]
struct Scene {
    ledger: Arc<Ledger>,
    gateways: Arc<[u16]>,
    database: Arc<str>,
    shape: Shape,
    stop: watch::Receiver<bool>,
}

impl Workload {
    /// Starts the clients.
    #[must_use]
    pub fn start(ledger: &Arc<Ledger>, gateways: &[u16], database: &str, shape: Shape, seed: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (ledger, gateways, database) = (ledger.clone(), gateways.into(), database.into());
        let scene = Scene { ledger, gateways, database, shape, stop: stopped };
        let mut tasks = JoinSet::new();
        for n in 0..shape.writers {
            tasks.spawn(write(scene.clone(), n, Random::new(seed, u64::from(n))));
        }
        for n in 0..shape.readers {
            tasks.spawn(read(scene.clone(), n, false, Random::new(seed, 1000 + u64::from(n))));
        }
        for n in 0..shape.travellers {
            tasks.spawn(read(scene.clone(), n, true, Random::new(seed, 2000 + u64::from(n))));
        }
        if let Some(age) = shape.expires {
            tasks.spawn(expire(scene, age));
        }
        Self { stop, tasks }
    }

    /// Lets every client end what it began.
    ///
    /// # Panics
    /// When a client did.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        while let Some(result) = self.tasks.join_next().await {
            result.expect("a client panicked");
        }
    }
}

impl Scene {
    fn is_over(&self) -> bool {
        *self.stop.borrow()
    }

    /// A connection to that gateway, or the next one that takes it; none when the end comes first.
    async fn connect(&self, at: &mut usize) -> Option<Client> {
        let end = Instant::now() + REPEAT_FOR;
        while Instant::now() < end {
            let port = self.gateways[*at % self.gateways.len()];
            match timeout(PATIENCE, Client::connect(port, &self.database)).await {
                Ok(Ok(client)) => return Some(client),
                Ok(Err(error)) => self.judge("a connection", &crate::harness::client::explain(&error)),
                Err(_) => {}
            }
            *at += 1;
            let mut stop = self.stop.clone();
            // A pause, not a wait for something: the gateway may be away for long.
            let _ = timeout(PAUSE, stop.wait_for(|stop| *stop)).await;
        }
        None
    }

    /// An error that says neither that nothing happened nor that nobody knows is a broken promise.
    fn judge(&self, what: &str, error: &str) {
        let (state, _) = error.split_once(": ").unwrap_or(("", error));
        let is_state = state.len() == 5 && state.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        let of_expiry = self.shape.expires.is_some() && state == EXPIRED;
        let is_honest = HONEST.iter().any(|honest| state.starts_with(honest)) || state == OF_STORE || of_expiry;
        if is_state && !is_honest {
            self.ledger.dishonest(format!("G7: {what} ended with {error}"));
        }
    }
}

fn choose(random: &mut Random) -> (Kind, u32) {
    match random.below(10) {
        0..4 => (Kind::Insert, 1 + random.below(4) as u32),
        4 => (Kind::Insert, 200),
        5..7 => (Kind::Transaction, 1 + random.below(5) as u32),
        7..9 => (Kind::Transfer, 1 + random.below(3) as u32),
        _ => (Kind::Copy, 500 + random.below(2000) as u32),
    }
}

async fn write(scene: Scene, writer: u32, mut random: Random) {
    let mut at = writer as usize;
    let mut client = None;
    while !scene.is_over() {
        let (kind, parts) = match scene.shape.large && random.once_in(60) {
            true => (Kind::Copy, LARGE),
            false => choose(&mut random),
        };
        // A client that names its writes can always learn what became of them.
        let keyed = !random.once_in(4);
        let id = scene.ledger.invoke(writer, kind, parts);
        let outcome = if keyed && random.once_in(12) {
            at_two_gateways(&scene, kind, id, parts, at).await
        } else {
            Outcome::Unknown
        };
        let outcome = match outcome {
            Outcome::Ok(_) => outcome,
            _ => until_known(&scene, (kind, id, parts), keyed, &mut client, &mut at).await,
        };
        let known = matches!(outcome, Outcome::Ok(_));
        scene.ledger.settle(id, outcome);
        if known && keyed && random.once_in(6) {
            repeat_elsewhere(&scene, kind, id, parts, at + 1).await;
        }
    }
}

/// Tries an operation; one with a key again and again, each time at the next gateway, until somebody knows.
async fn until_known(
    scene: &Scene,
    (kind, id, parts): (Kind, OpId, u32),
    keyed: bool,
    client: &mut Option<Client>,
    at: &mut usize,
) -> Outcome {
    let end = Instant::now() + REPEAT_FOR;
    let mut is_unknown = false;
    loop {
        if client.is_none() {
            *client = scene.connect(at).await;
        }
        let Some(connection) = client.as_ref() else { break };
        let tried = tried(scene, connection, kind, id, parts, keyed).await;
        if !tried.alive {
            *client = None;
            *at += 1;
        }
        match tried.outcome {
            Outcome::Ok(offset) => return Outcome::Ok(offset),
            // Without a key a repetition could be a second write.
            outcome if !keyed => return outcome,
            Outcome::Error(error) if !is_unknown && Instant::now() > end => return Outcome::Error(error),
            Outcome::Error(_) => {}
            _ => is_unknown = true,
        }
        if Instant::now() > end {
            break;
        }
        // The next gateway may do what this one cannot.
        *client = None;
        *at += 1;
        let _ = timeout(PAUSE, std::future::pending::<()>()).await;
    }
    Outcome::Unknown
}

async fn tried(scene: &Scene, client: &Client, kind: Kind, id: OpId, parts: u32, keyed: bool) -> Try {
    let lost = Try { outcome: Outcome::Unknown, alive: false };
    let tried = timeout(PATIENCE, attempt(client, kind, id, parts, keyed)).await.unwrap_or(lost);
    scene.ledger.tried(&tried.outcome);
    if let Outcome::Error(error) = &tried.outcome {
        scene.judge(&format!("{kind:?} {id:?}"), error);
    }
    tried
}

/// CL3: the same operation at two gateways at once has one effect and one token.
async fn at_two_gateways(scene: &Scene, kind: Kind, id: OpId, parts: u32, at: usize) -> Outcome {
    let (mut here, mut there) = (at, at + 1);
    let (Some(one), Some(two)) = (scene.connect(&mut here).await, scene.connect(&mut there).await) else {
        return Outcome::Unknown;
    };
    let both = tokio::join!(tried(scene, &one, kind, id, parts, true), tried(scene, &two, kind, id, parts, true));
    match (both.0.outcome, both.1.outcome) {
        (Outcome::Ok(first), Outcome::Ok(second)) => {
            scene.ledger.repeated(id, second);
            Outcome::Ok(first)
        }
        (known @ Outcome::Ok(_), _) | (_, known @ Outcome::Ok(_)) => known,
        _ => Outcome::Unknown,
    }
}

/// G5: a repetition of what is acknowledged changes nothing, wherever it comes.
async fn repeat_elsewhere(scene: &Scene, kind: Kind, id: OpId, parts: u32, mut at: usize) {
    let Some(client) = scene.connect(&mut at).await else { return };
    if let Outcome::Ok(offset) = tried(scene, &client, kind, id, parts, true).await.outcome {
        scene.ledger.repeated(id, offset);
    }
}

/// Ends old snapshots again and again, at one gateway and another.
async fn expire(mut scene: Scene, age: &'static str) {
    let sql = format!("CALL duckmesh.expire_snapshots(older_than => '{age}')");
    let mut at = 0;
    while !scene.is_over() {
        let Some(client) = scene.connect(&mut at).await else { continue };
        if let Ok(Err(error)) = timeout(PATIENCE, client.rows(&sql)).await {
            scene.judge("an expiry", &crate::harness::client::explain(&error));
        }
        at += 1;
        let _ = timeout(PAUSE * 10, scene.stop.wait_for(|stop| *stop)).await;
    }
}

async fn read(scene: Scene, reader: u32, travels: bool, mut random: Random) {
    let mut at = reader as usize;
    // Another gateway may know less than the last one, as long as it covers the token: then it is another reader.
    for term in 0.. {
        if scene.is_over() {
            return;
        }
        let Some(client) = scene.connect(&mut at).await else { continue };
        let name = term * 100 + reader * 2 + u32::from(travels);
        while !scene.is_over() {
            let reading = async {
                if travels {
                    let earlier = (!random.once_in(3)).then(|| random.below(1000));
                    scene.ledger.try_travel(&client, name, earlier).await
                } else {
                    scene.ledger.try_read(&client, name).await
                }
            };
            match timeout(READ_PATIENCE, reading).await {
                Ok(ReadEnd::Noted) => {}
                Ok(ReadEnd::Refused(error)) => {
                    scene.judge("a read", &error);
                    break;
                }
                Ok(ReadEnd::Lost) | Err(_) => break,
            }
            if random.once_in(8) {
                break;
            }
        }
        at += 1;
    }
}
