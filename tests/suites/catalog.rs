//! The catalog as operators and tools see it: what it was asked for and lacks, and what people say of databases.

use duckmesh_tests::harness::{Server, WireClient, wire::Value};

fn rows(client: &mut WireClient, sql: &str) -> Vec<String> {
    let answer = client.query(sql).remove(0);
    assert_eq!(answer.error, None, "{sql}");
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
    answer.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join("|")).collect()
}

const GAPS: &str = "SELECT name, sqlstate, query, asked, first_at <= last_at AS ordered, fingerprint ~ '^[0-9a-f]{16}$' AS number \
    FROM duckmesh.unsupported ORDER BY asked DESC, name";

#[test]
fn what_the_catalog_lacks_is_recorded() {
    let server = Server::start();
    let mut client = server.wire();
    client.query("CREATE TABLE orders (id int)");
    for wrong in [
        "SELECT 1 FROM pg_catalog.pg_nothing WHERE name = 'secret'",
        "select 2 from pg_catalog.pg_nothing  where name = E'other\\'s' -- a note",
        "SELECT pg_no_such_function(oid, 'secret') FROM pg_class",
        "SELECT nothing FROM information_schema.tables",
        "SELECT ctid FROM pg_class",
        // These are about no gap of the catalog.
        "SELECT 1 FROM nowhere",
        "SELECT 1 / 0 FROM pg_class",
        "SELECT relname FROM pg_class WHERE",
    ] {
        assert!(client.query(wrong)[0].error.is_some(), "{wrong}");
    }
    let extended = "SELECT 1 FROM pg_catalog.pg_nothing WHERE name = $1";
    assert!(client.try_extended(extended, &[], &[Value::Text("secret".into())]).unwrap().error.is_some());
    let expect = [
        "pg_catalog.pg_nothing|42P01|select ? from pg_catalog.pg_nothing where name = ?|1|t|t",
        "pg_catalog.pg_nothing|42P01|select ? from pg_catalog.pg_nothing where name = $1|1|t|t",
        "pg_catalog.pg_nothing|42P01|select ? from pg_catalog.pg_nothing where name = e?|1|t|t",
        "pg_no_such_function|42883|select pg_no_such_function(oid, ?) from pg_class|1|t|t",
        "nothing|42703|select nothing from information_schema.tables|1|t|t",
        "ctid|0A000|select ctid from pg_class|1|t|t",
    ];
    let mut found = rows(&mut client, GAPS);
    let mut expect: Vec<String> = expect.map(str::to_owned).to_vec();
    found.sort();
    expect.sort();
    assert_eq!(found, expect);
    // Once more is one more; another database knows nothing of it.
    client.query("SELECT ctid  FROM pg_class;");
    assert!(rows(&mut client, GAPS)[0].starts_with("ctid|0A000|select ctid from pg_class|2|"));
    client.query("CREATE DATABASE other");
    let mut other = WireClient::connect(server.port(), "other", "tester");
    assert_eq!(rows(&mut other, "SELECT count(*) FROM duckmesh.unsupported"), ["0"]);
}

#[test]
fn a_database_keeps_its_comment() {
    let mut server = Server::start();
    const COMMENTS: &str = "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database ORDER BY 1";
    {
        let mut client = server.wire();
        client.query("CREATE DATABASE other");
        assert_eq!(client.query("COMMENT ON DATABASE other IS 'it''s said'")[0].tag.as_deref(), Some("COMMENT"));
        client.query("COMMENT ON DATABASE duckmesh IS 'first'");
        client.query("COMMENT ON DATABASE duckmesh IS 'mine'");
        assert_eq!(rows(&mut client, COMMENTS), ["duckmesh|mine", "other|it's said"]);
        let list = "SELECT description FROM pg_shdescription d JOIN pg_database b ON b.oid = d.objoid \
            WHERE d.classoid = 'pg_database'::regclass ORDER BY 1";
        assert_eq!(rows(&mut client, list), ["it's said", "mine"]);
        // A dump may name the database that it was made from: no more than a warning, as in Postgres.
        assert_eq!(client.query("COMMENT ON DATABASE nowhere IS 'x'")[0].tag.as_deref(), Some("COMMENT"));
        let warned = client.notices.last().map(|notice| (notice[&'S'].clone(), notice[&'C'].clone()));
        assert_eq!(warned, Some(("WARNING".into(), "3D000".into())));
    }
    server.restart();
    let mut client = server.wire();
    client.query("COMMENT ON DATABASE other IS NULL");
    assert_eq!(rows(&mut client, COMMENTS), ["duckmesh|mine", "other|NULL"]);
}
