//! How statements and workers end: stopped, out of time or memory, killed.

use super::*;

/// GW6, G10: a reader that stops costs no memory, and dropping it frees the worker.
#[tokio::test]
async fn a_reader_that_stops_costs_no_memory() {
    let lake = lake();
    let pid = lake.pid().await;
    let mut stream =
        lake.engine.query(lake.request("SELECT range a, range * 2 b FROM range(100000000)")).await.unwrap();
    assert!(stream.next().await.unwrap().is_some());
    let mut last = (0, Instant::now());
    until("the worker pauses", || {
        let ticks = processor_ticks(pid);
        if ticks != last.0 {
            last = (ticks, Instant::now());
        }
        last.1.elapsed() > PROMPT
    })
    .await;
    let resident = resident_bytes(pid);
    assert!(resident < 150 * MIB, "{} MiB", resident / MIB);
    // Others go on meanwhile.
    assert_eq!(lake.value("SELECT 1").await, "1");
    drop(stream);
    let start = Instant::now();
    assert_eq!(lake.value("SELECT 2").await, "2");
    assert!(start.elapsed() < PATIENCE);
    assert_eq!(lake.pid().await, pid);
}

#[tokio::test]
async fn cancel_is_prompt_and_spares_the_worker() {
    let lake = lake_with(|options| {
        options.concurrent_max = 1;
        // A machine that is busy with other tests is no worker that does not answer.
        options.answer_grace = SOON;
    });
    let pid = lake.pid().await;
    for _ in 0..5 {
        let request = lake.request(ENDLESS);
        let cancel = request.cancel.clone();
        let mut stream = lake.engine.query(request).await.unwrap();
        let start = Instant::now();
        cancel.cancel();
        let error = stream.next().await.unwrap_err();
        assert_eq!(
            (error.code().0, error.fields().message.as_str()),
            ("57014", "canceling statement due to user request")
        );
        assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
        // With one place only, this needs the cancelled one to be gone.
        assert_eq!(lake.value("SELECT 1").await, "1");
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    }
    // Cancelled before it was sent.
    let request = lake.request("SELECT 1");
    request.cancel.cancel();
    let running = lake.endless().await;
    assert_eq!(lake.engine.query(request).await.map(|_| ()).unwrap_err().code().0, "57014");
    drop(running);
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert_eq!(lake.pid().await, pid);
}

#[tokio::test]
async fn a_deadline_stops_a_statement() {
    let lake = lake();
    let pid = lake.pid().await;
    let mut request = lake.request(ENDLESS);
    request.deadline = Some(tokio::time::Instant::now() + PROMPT);
    let start = Instant::now();
    let error = lake.engine.query(request).await.unwrap().next().await.unwrap_err();
    assert_eq!(error.code().0, "57014");
    assert_eq!(error.fields().message, "canceling statement due to statement timeout");
    assert!(start.elapsed() >= PROMPT && start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert_eq!(lake.pid().await, pid);
}

/// RD7: what ignores the interrupt is ended with its process.
#[tokio::test]
async fn a_worker_that_ignores_the_interrupt_is_ended() {
    let lake = lake_with(|options| options.interrupt_grace = PROMPT);
    let pid = lake.pid().await;
    let mut request =
        lake.request("SELECT levenshtein(repeat('a', 200000), repeat('b', 200000) || id) FROM t_1 LIMIT 1");
    request.deadline = Some(tokio::time::Instant::now() + PROMPT);
    let error = rows(lake.engine.query(request).await.unwrap()).await.unwrap_err();
    assert_eq!(error.code().0, "57014");
    until("the worker ends", || !alive(pid)).await;
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert_ne!(lake.pid().await, pid);
}

/// RD7: what ignores the interrupt costs its neighbours nothing that they see, unless they gave rows already.
#[tokio::test]
async fn rd7_neighbours_of_what_ignores_the_interrupt_are_run_again() {
    let lake = lake_with(|options| {
        options.interrupt_grace = PROMPT * 2;
        options.threads = 1;
    });
    let pid = lake.pid().await;
    // Some seconds of one thread, so that it outlives the grace.
    let slow = "SELECT count(*) FROM range(400000) a, range(1500) b WHERE hash(a.range + b.range) % 7 = 9";
    let mut neighbour = lake.engine.query(lake.request(slow)).await.unwrap();
    let mut reading = lake.engine.query(lake.request("SELECT range FROM range(1000000000)")).await.unwrap();
    assert!(reading.next().await.unwrap().is_some());
    let mut bomb = lake.request("SELECT levenshtein(repeat('a', 200000), repeat('b', 200000) || id) FROM t_1 LIMIT 1");
    bomb.deadline = Some(tokio::time::Instant::now() + PROMPT);
    assert_eq!(rows(lake.engine.query(bomb).await.unwrap()).await.unwrap_err().code().0, "57014");
    // Statements that come now have another worker; the old one has its grace.
    let deadline = Instant::now() + PATIENCE;
    while lake.pid().await == pid {
        assert!(Instant::now() < deadline, "no other worker is taken");
        tokio::task::yield_now().await;
    }
    assert_eq!(lake.value("SELECT 1").await, "1");
    until("the old worker ends", || !alive(pid)).await;
    let batch = neighbour.next().await.expect("run again").expect("rows");
    assert_eq!(array_value_to_string(batch.column(0), 0).unwrap(), "0");
    assert!(neighbour.next().await.unwrap().is_none());
    let error = loop {
        match reading.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("cut off without an error"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code().0, "57P02", "rows that were given cannot be taken back");
}

/// RD6: a worker's death costs its statements an error, and nothing else.
#[tokio::test]
async fn a_killed_worker_costs_its_statements_an_error() {
    let lake = lake();
    let pid = lake.pid().await;
    let (mut one, mut other) = (lake.endless().await, lake.endless().await);
    kill(pid);
    for stream in [&mut one, &mut other] {
        assert_eq!(stream.next().await.unwrap_err().code().0, "57P02");
    }
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert_ne!(lake.pid().await, pid);
    // While nothing runs, nobody notices.
    let pid = lake.pid().await;
    kill(pid);
    until("the worker ends", || !alive(pid)).await;
    assert_eq!(lake.value("SELECT 2").await, "2");
}

/// RD6: what ends the worker three times is refused; other statements are not.
#[tokio::test]
async fn a_statement_that_crashes_again_and_again_is_refused() {
    let lake = lake();
    for _ in 0..3 {
        let mut stream = lake.endless().await;
        kill(lake.pid().await);
        assert_eq!(stream.next().await.unwrap_err().code().0, "57P02");
    }
    let error = lake.engine.query(lake.request(ENDLESS)).await.map(|_| ()).unwrap_err();
    assert_eq!(error.code().0, "55000", "{error}");
    assert_eq!(lake.value("SELECT 1").await, "1");
}

/// Reliability 3.2: the process survives, and says that there is no memory.
#[tokio::test]
async fn memory_bombs_are_errors() {
    let lake = lake_with(|options| options.address_space_bytes = Some(1200 * MIB));
    let pid = lake.pid().await;
    let bombs = [
        ("SELECT length(array_to_string(range(100000000), ','))", &["53200"][..]),
        ("SELECT length(repeat('x', 4000000000))", &["53200", "54000"]),
        ("SELECT len(list_distinct(range(100000000)))", &["53200"]),
        (
            "SELECT count(*) FROM (SELECT range, range::varchar || repeat('x', 1000) y FROM range(10000000) ORDER BY y DESC)",
            &["53200", "53100"],
        ),
    ];
    for (sql, codes) in bombs {
        let error = lake.error(sql).await;
        assert!(codes.contains(&error.code().0), "{sql}: {error}");
        assert_eq!(lake.value("SELECT 1").await, "1", "after {sql}");
    }
    assert_eq!(lake.pid().await, pid);
    lake.engine.shutdown().await;
}

/// Reliability 3.2: stacks.
#[tokio::test]
async fn deep_statements_are_answered_or_refused() {
    let lake = lake();
    let pid = lake.pid().await;
    let ctes: Vec<String> = (1..900).map(|i| format!("c{i} AS (SELECT * FROM c{})", i - 1)).collect();
    let recursive = (0..300)
        .fold("SELECT 1 AS a".to_owned(), |inner, i| format!("WITH RECURSIVE r{i} AS ({inner}) SELECT * FROM r{i}"));
    let statements = [
        format!("WITH c0 AS (SELECT 1 AS a), {} SELECT * FROM c899", ctes.join(", ")),
        format!("SELECT count(*) FROM {}", (0..900).map(|i| format!("(SELECT 1) a{i}")).collect::<Vec<_>>().join(", ")),
        recursive,
        format!("SELECT {}1{}", "(".repeat(2000), ")".repeat(2000)),
        format!("SELECT {}", vec!["1"; 20_000].join("+")),
        format!("SELECT {}1{}", "abs(".repeat(2000), ")".repeat(2000)),
        format!("SELECT {}1{}", "[".repeat(500), "]".repeat(500)),
    ];
    for sql in statements {
        match lake.rows(&sql).await {
            Ok(rows) => assert_eq!(rows.len(), 1),
            Err(error) => {
                assert!(["54001", "42601", "53200", "0A000"].contains(&error.code().0), "{:.60}: {error}", sql);
            }
        }
    }
    assert_eq!(lake.pid().await, pid);
}

#[tokio::test]
async fn the_queue_is_bounded() {
    let lake = lake_with(|options| {
        options.concurrent_max = 1;
        options.waiting_max = 1;
    });
    let running = lake.endless().await;
    let mut waiting = Box::pin(lake.value("SELECT 1"));
    assert!(futures::poll!(&mut waiting).is_pending());
    assert_eq!(lake.error("SELECT 2").await.code().0, "53400");
    drop(running);
    assert_eq!(waiting.await, "1");
}

#[tokio::test]
async fn shutdown_leaves_nothing() {
    let lake = lake();
    let pid = lake.pid().await;
    let mut running = lake.endless().await;
    lake.engine.shutdown().await;
    assert_eq!(running.next().await.unwrap_err().code().0, "57P02");
    assert!(!alive(pid));
    assert_eq!(fs::read_dir(lake.folder.path().join("spill")).unwrap().count(), 0);
    assert!(lake.rows("SELECT 1").await.is_err());
}

#[tokio::test]
async fn what_a_dead_gateway_left_is_swept() {
    let lake = lake();
    let spill = lake.folder.path().join("spill");
    // No process has this number: it is above the kernel's largest.
    let (left, other) = (spill.join("worker-2000000000-x"), spill.join("something-else"));
    fs::create_dir_all(left.join("spill")).unwrap();
    fs::create_dir_all(&other).unwrap();
    assert_eq!(lake.value("SELECT 1").await, "1");
    assert!(!left.exists() && other.exists());
}

#[tokio::test]
async fn a_dropped_engine_ends_its_worker() {
    let Lake { engine, .. } = lake();
    let pid = engine.status().await.unwrap().pid;
    drop(engine);
    until("the worker ends", || !alive(pid)).await;
}

#[tokio::test]
async fn a_worker_that_cannot_start_is_an_error() {
    let lake = lake_with(|options| options.setup = vec!["SELECT nope".to_owned()]);
    assert!(lake.engine.status().await.unwrap_err().contains("nope"));
    assert_eq!(lake.error("SELECT 1").await.code().0, "XX000");
}

/// Not a test: `cargo nextest run engine --run-ignored only --no-capture`.
#[tokio::test]
#[ignore = "a measurement"]
async fn measure() {
    let lake = lake();
    let pid = lake.pid().await;
    lake.value("SELECT 1").await;
    let start = Instant::now();
    for _ in 0..1000 {
        rows(lake.engine.query(QueryRequest::new("SELECT 1")).await.unwrap()).await.unwrap();
    }
    println!("SELECT 1: {:?}", start.elapsed() / 1000);
    let start = Instant::now();
    for _ in 0..1000 {
        lake.value("SELECT count(*) FROM t_1").await;
    }
    println!("count(*) with a view over Parquet: {:?}", start.elapsed() / 1000);
    let start = Instant::now();
    let mut stream =
        lake.engine.query(QueryRequest::new("SELECT range a, range * 2 b FROM range(100000000)")).await.unwrap();
    let mut count = 0;
    while let Some(batch) = stream.next().await.unwrap() {
        count += batch.num_rows();
    }
    println!("{count} rows of two bigints: {:?}; worker {} MiB", start.elapsed(), resident_bytes(pid) / MIB);
}
