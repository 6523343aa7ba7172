//! TLS to Postgres: what each sslmode accepts and refuses.

use std::{fs, path::Path};

use duckmesh_tests::harness::{Postgres, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::options;

/// An authority, and certificates that it signed, as files.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("root.crt"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    /// Writes `<name>.crt` and `<name>.key` for these host names.
    fn sign(&self, name: &str, common: &str, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(|h| (*h).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, common);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file(&format!("{name}.crt")), certificate.pem()).unwrap();
        fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> String {
        self.file("root.crt").display().to_string()
    }
}

/// A Postgres with a certificate for `localhost`, whose database `mesh` takes TLS only, and of one user a certificate.
async fn postgres(authority: &Authority) -> Postgres {
    authority.sign("server", "server", &["localhost"]);
    let mut postgres = Postgres::with(&["fsync=off"]);
    postgres.stop();
    for (from, to) in [("server.crt", "server.crt"), ("server.key", "server.key"), ("root.crt", "root.crt")] {
        put(&fs::read_to_string(authority.file(from)).unwrap(), &postgres.data().join(to));
    }
    let settings = "ssl = on\nssl_ca_file = 'root.crt'\n";
    let configuration = postgres.data().join("postgresql.auto.conf");
    fs::write(&configuration, settings).unwrap();
    put(
        "hostssl postgres,mesh tester 127.0.0.1/32 trust\nhost postgres tester 127.0.0.1/32 trust\n\
         hostssl mesh certified 127.0.0.1/32 cert\n",
        &postgres.data().join("pg_hba.conf"),
    );
    postgres.start_again();
    postgres.client().await.ok("CREATE DATABASE mesh ENCODING 'UTF8' TEMPLATE template0").await;
    postgres
}

/// Writes a file that only PostgreSQL's user may read.
fn put(text: &str, path: &Path) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    let owner = fs::metadata(path.parent().unwrap()).unwrap();
    chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
}

fn starts(url: &str) -> Result<Server, String> {
    Server::try_with(options(url.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_to_postgres_is_what_its_mode_says() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let postgres = postgres(&authority).await;
    let at = |host: &str, query: &str| format!("postgres://tester@{host}:{}/mesh?{query}", postgres.port());
    let root = authority.root();
    let server = starts(&at("localhost", &format!("sslmode=verify-full&sslrootcert={root}"))).expect("all is right");
    let client = server.client().await;
    client.ok("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;
    assert_eq!(client.value("SELECT count(*) FROM t").await, "1");
    let wrong_name = starts(&at("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={root}")));
    assert!(wrong_name.err().expect("the certificate is of localhost").contains("not valid for name"));
    let wrong_root = starts(&at("localhost", &format!("sslmode=verify-ca&sslrootcert={}", stranger.root())));
    assert!(wrong_root.err().expect("the root is another").contains("invalid peer certificate"));
    drop(server);
    drop(starts(&at("127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={root}"))).expect("any name"));
    drop(starts(&at("127.0.0.1", "sslmode=require")).expect("any certificate"));
    let plain = starts(&at("127.0.0.1", "sslmode=disable")).err().expect("TLS only");
    assert!(plain.contains("no encryption"), "{plain}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_certificates_of_ours_are_shown_to_postgres() {
    let authority = Authority::new();
    let postgres = postgres(&authority).await;
    authority.sign("client", "certified", &[]);
    let superuser = format!("postgres://tester@localhost:{}/mesh?sslmode=require", postgres.port());
    drop(starts(&superuser).expect("made the tables"));
    let url = format!("postgres://certified@localhost:{}/mesh?sslmode=verify-full", postgres.port());
    let (root, cert, key) = (authority.root(), authority.file("client.crt"), authority.file("client.key"));
    let without = starts(&format!("{url}&sslrootcert={root}")).err().expect("a certificate is asked for");
    assert!(without.contains("certificate"), "{without}");
    // The role is missing, which is said only to who showed the certificate.
    let with = starts(&format!("{url}&sslrootcert={root}&sslcert={}&sslkey={}", cert.display(), key.display()));
    assert!(with.err().expect("there is no such role").contains("role \"certified\" does not exist"));
}
