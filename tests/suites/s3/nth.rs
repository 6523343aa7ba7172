//! S1, S3a, S5, S6: every operation, with its n-th request going wrong, for every n until it passes untouched.

use duckmesh_tests::{
    fake_s3::{Fault, Where},
    harness::Client,
};

use super::{Bucket, assert_large, fill};

/// A fault at each request of an operation is survived by it.
const CI: &[Fault] = &[Fault::Status(500), Fault::DropReply];
const ALL: &[Fault] = &[
    Fault::Status(503),
    Fault::Status(429),
    Fault::Status(403),
    Fault::DropRequest,
    Fault::ErrorIn200,
    Fault::Cut(1000),
    Fault::Cut(0),
    Fault::Truncate(1000),
    Fault::Corrupt,
    Fault::Stall(1000),
];

/// More requests than an operation makes.
const REQUESTS_MAX: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s3a_every_request_fails_once() {
    every(CI).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: make test-faults"]
async fn s1_s5_s6_s7_faults_every_request_fails_in_every_way() {
    every(ALL).await;
}

/// S1 of a start: the probe, the catalog's first look, the first sweep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a minute: make test-faults"]
async fn s1_faults_every_request_of_a_start_fails_once() {
    let mut bucket = Bucket::start();
    bucket.client().await.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t").await;
    for fault in CI.iter().chain(ALL) {
        for n in 1..REQUESTS_MAX {
            bucket.s3.on(Where::any().nth(n), fault.clone());
            bucket.server.restart();
            assert_eq!(bucket.client().await.value("SELECT * FROM t").await, "1", "{fault:?}, {n}");
            let is_untouched = bucket.s3.has_faults_left();
            bucket.s3.heal();
            if is_untouched {
                break;
            }
        }
    }
}

async fn every(faults: &[Fault]) {
    let bucket = Bucket::start();
    let client = bucket.client().await;
    client.ok("SET duckmesh.barrier_timeout = '60s'").await;
    client.ok("CREATE TABLE small (a int); CREATE TABLE large (a int, b text)").await;
    let mut tried = 0;
    let (mut small, mut large) = (0, 0);
    for fault in faults {
        tried += until_untouched(&bucket, fault, async || {
            small += 1;
            client.ok(&format!("INSERT INTO small VALUES ({small})")).await;
            let expect = format!("{small}|{}", small * (small + 1) / 2);
            assert_eq!(client.value("SELECT count(*), sum(a) FROM small").await, expect, "{fault:?}");
        })
        .await;
        tried += until_untouched(&bucket, fault, async || {
            client.ok(&format!("TRUNCATE large; {}", fill("large"))).await;
            large += 1;
            assert_large(&client, "large", 1).await;
        })
        .await;
        tried += until_untouched(&bucket, fault, async || cold(&bucket, &client).await).await;
        tried += until_untouched(&bucket, fault, async || {
            client.ok("CREATE DATABASE other").await;
            let other = bucket.server.client_of("other").await;
            other.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
            assert_eq!(other.value("SELECT * FROM t").await, "1");
            drop(other);
            dropped(&client, "other").await;
        })
        .await;
    }
    println!("{tried} requests went wrong, {small} small writes and {large} large ones were made, none was lost");
    assert!(tried > 8 * faults.len(), "{tried}");
}

/// Runs an operation with its n-th request going wrong, until there is no n-th request. How many there were.
async fn until_untouched(bucket: &Bucket, fault: &Fault, mut operation: impl AsyncFnMut()) -> usize {
    for n in 1..REQUESTS_MAX {
        bucket.s3.on(Where::any().nth(n), fault.clone());
        operation().await;
        let is_untouched = bucket.s3.has_faults_left();
        bucket.s3.heal();
        if is_untouched {
            return n - 1;
        }
    }
    panic!("an operation of more than {REQUESTS_MAX} requests");
}

/// A read of what is not in the cache.
async fn cold(bucket: &Bucket, client: &Client) {
    bucket.forget("large");
    assert_large(client, "large", 1).await;
}

async fn dropped(client: &Client, name: &str) {
    let what = format!("DROP DATABASE {name}");
    duckmesh_tests::harness::eventually_async("its session ended", std::time::Duration::from_secs(10), || async {
        client.rows(&what).await.is_ok().then_some(())
    })
    .await;
}
