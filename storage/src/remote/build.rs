//! Clients of a bucket, made from the environment's variables as the vendors' own tools read them.
//!
//! The environment itself is read at the edge and comes as an argument.

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    client::{Certificate, HttpClient, HttpConnector, ReqwestConnector},
    list::PaginatedListStore,
    multipart::MultipartStore,
    signer::Signer,
};

use super::{CONNECT_TIMEOUT, profile};
use crate::{
    error::{Error, ErrorKind, Result},
    location::Scheme,
};

/// Variables of the environment.
pub type Environment = Vec<(String, String)>;

/// An idle connection is closed before a store's own limit, which would break the next request.
const IDLE_CONNECTION: Duration = Duration::from_secs(20);

/// One bucket by all the interfaces that are needed of it.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) parts: Arc<dyn MultipartStore>,
    pub(crate) pages: Arc<dyn PaginatedListStore>,
    /// For what the interfaces lack; S3 alone.
    pub(crate) signed: Option<(Arc<dyn Signer>, HttpClient)>,
}

/// Makes the clients of a bucket. Reads files with credentials anew: called again, it has those of now.
pub(crate) fn clients(scheme: Scheme, bucket: &str, environment: &Environment) -> Result<Clients> {
    let failed = |e: object_store::Error| {
        Error::caused(ErrorKind::Invalid, format!("the bucket {bucket} cannot be used: {e}"), e)
    };
    match scheme {
        Scheme::S3 => s3(bucket, environment).map_err(failed),
        Scheme::Gcs => gcs(bucket, environment),
        Scheme::Azure => azure(bucket, environment),
    }
}

fn s3(bucket: &str, environment: &Environment) -> object_store::Result<Clients> {
    let mut builder = AmazonS3Builder::new();
    let mut options = options();
    for (name, value) in of_vendor(environment, "AWS_") {
        let Ok(key) = name.parse::<AmazonS3ConfigKey>() else { continue };
        match key {
            AmazonS3ConfigKey::Bucket => {}
            AmazonS3ConfigKey::Client(key) => options = options.with_config(key, value),
            key => builder = builder.with_config(key, value),
        }
    }
    if let Some(path) = variable(environment, "AWS_CA_BUNDLE") {
        for certificate in certificates(path)? {
            options = options.with_root_certificate(certificate);
        }
    }
    if let Some(shared) = profile::of(environment) {
        if let Some((key, secret)) = shared.keys {
            builder = builder.with_access_key_id(key).with_secret_access_key(secret);
            if let Some(token) = shared.token {
                builder = builder.with_token(token);
            }
        }
        if let (Some(region), None) = (shared.region, builder.get_config_value(&AmazonS3ConfigKey::Region)) {
            builder = builder.with_region(region);
        }
    }
    let signed_by = ReqwestConnector::default().connect(&options)?;
    // One object, one DELETE: that every store can do.
    let builder = builder.with_disable_bulk_delete(true).with_retry(no_retries()).with_client_options(options);
    let store = Arc::new(builder.with_bucket_name(bucket).build()?);
    Ok(Clients {
        objects: Arc::<object_store::aws::AmazonS3>::clone(&store),
        parts: Arc::<object_store::aws::AmazonS3>::clone(&store),
        pages: Arc::<object_store::aws::AmazonS3>::clone(&store),
        signed: Some((store, signed_by)),
    })
}

#[cfg(feature = "gcp")]
fn gcs(bucket: &str, environment: &Environment) -> Result<Clients> {
    use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
    let mut builder = GoogleCloudStorageBuilder::new();
    for (name, value) in of_vendor(environment, "GOOGLE_") {
        match name.parse::<GoogleConfigKey>() {
            Ok(GoogleConfigKey::Client(_) | GoogleConfigKey::Bucket) | Err(_) => {}
            Ok(key) => builder = builder.with_config(key, value),
        }
    }
    let built = builder.with_bucket_name(bucket).with_retry(no_retries()).with_client_options(options()).build();
    let store = Arc::new(built.map_err(|e| Error::caused(ErrorKind::Invalid, format!("bucket {bucket}: {e}"), e))?);
    Ok(Clients { objects: store.clone(), parts: store.clone(), pages: store, signed: None })
}

#[cfg(not(feature = "gcp"))]
fn gcs(bucket: &str, _: &Environment) -> Result<Clients> {
    Err(not_built_in(&format!("gs://{bucket}"), "gcp"))
}

#[cfg(feature = "azure")]
fn azure(container: &str, environment: &Environment) -> Result<Clients> {
    use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
    let mut builder = MicrosoftAzureBuilder::new();
    for (name, value) in of_vendor(environment, "AZURE_") {
        match name.parse::<AzureConfigKey>() {
            Ok(AzureConfigKey::Client(_) | AzureConfigKey::ContainerName) | Err(_) => {}
            Ok(key) => builder = builder.with_config(key, value),
        }
    }
    let built = builder.with_container_name(container).with_retry(no_retries()).with_client_options(options()).build();
    let store =
        Arc::new(built.map_err(|e| Error::caused(ErrorKind::Invalid, format!("container {container}: {e}"), e))?);
    Ok(Clients { objects: store.clone(), parts: store.clone(), pages: store, signed: None })
}

#[cfg(not(feature = "azure"))]
fn azure(container: &str, _: &Environment) -> Result<Clients> {
    Err(not_built_in(&format!("az://{container}"), "azure"))
}

#[cfg(any(not(feature = "gcp"), not(feature = "azure")))]
fn not_built_in(url: &str, feature: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("{url}: this binary was built without the feature \"{feature}\""))
}

/// Timeouts of whole requests are ours (see `attempts`): they depend on the bytes.
fn options() -> ClientOptions {
    ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout_disabled()
        .with_read_timeout_disabled()
        .with_pool_idle_timeout(IDLE_CONNECTION)
}

/// Repetitions are ours: only here it is known what a lost answer means.
fn no_retries() -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: 0, retry_timeout: Duration::ZERO }
}

/// The variables of one vendor, names in small letters. Of others, such as `TOKEN`, object_store would take some, too.
fn of_vendor<'a>(environment: &'a Environment, start: &str) -> impl Iterator<Item = (String, &'a str)> {
    let is_own = move |name: &str| name.starts_with(start);
    let own = environment.iter().filter(move |(name, value)| is_own(name) && !value.is_empty());
    own.map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
}

pub(super) fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
}

fn certificates(path: &str) -> object_store::Result<Vec<Certificate>> {
    let pem = std::fs::read(path).map_err(|e| object_store::Error::Generic {
        store: "AWS_CA_BUNDLE",
        source: format!("cannot read {path}: {e}").into(),
    })?;
    Certificate::from_pem_bundle(&pem)
}
