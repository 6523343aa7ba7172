//! Whether every file that a lake's catalog names is in the store, and as long as it was written: what a person deleted or cut is
//! found before somebody's query finds it. Contents are not read; the cache compares those with their names when it fetches.

use std::{collections::HashMap, path::Path, sync::Arc};

use duckmesh_catalog::{Catalog, LakeInfo, OpenOptions, clock::SystemClock};
use duckmesh_storage::{Location, Stores};

use super::Check;
use crate::{config::Config, serve};

/// Names that are printed; the rest is a number.
const NAMES_MAX: usize = 5;
const ADVICE: &str =
    "Queries of their tables and snapshots fail (58P01, XX001). Restore the files, for instance their older versions.";

/// A look at all lakes.
pub(super) async fn look(config: &Config) -> Vec<Check> {
    let options = OpenOptions { migrate: false, look_only: true, witness: None, ..config.catalog_options() };
    let catalog = match Catalog::open_with(config.location(), Arc::new(SystemClock), options).await {
        Ok(catalog) => catalog,
        Err(error) => return vec![Check::failed("lakes", error.to_string(), "See the checks above.")],
    };
    let lakes = match catalog.lakes().await {
        Ok(lakes) => lakes,
        Err(error) => return vec![Check::failed("lakes", error.to_string(), "See the checks above.")],
    };
    let stores = serve::stores(config);
    // A server may be using the data folder: copies would go elsewhere, and none are made.
    let scratch = std::env::temp_dir().join(format!("duckmesh-doctor-{}", std::process::id()));
    let mut checks = Vec::with_capacity(lakes.len());
    for lake in lakes {
        let name = format!("files of {}", lake.name);
        checks.push(match of_lake(&catalog, &stores, &scratch, &lake).await {
            Ok(found) => found.check(&name),
            Err(error) => Check::failed(&name, error, "They could not be looked at: see the checks above."),
        });
    }
    let _ = std::fs::remove_dir_all(&scratch);
    checks
}

/// What is wrong with a lake's files.
#[derive(Default)]
struct Found {
    looked_at: usize,
    missing: Vec<String>,
    other: Vec<String>,
}

impl Found {
    fn check(&self, name: &str) -> Check {
        if self.missing.is_empty() && self.other.is_empty() {
            return Check::ok(name, format!("all {} are there, and as long as they were written", self.looked_at));
        }
        let some = |names: &[String]| {
            let shown = names.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
            if names.len() > NAMES_MAX { format!("{shown}, …") } else { shown }
        };
        let mut found = Vec::new();
        for (names, what) in [(&self.missing, "missing"), (&self.other, "of another length")] {
            if !names.is_empty() {
                found.push(format!("{} {what} ({})", names.len(), some(names)));
            }
        }
        Check::failed(name, format!("of {} files {}", self.looked_at, found.join(", ")), ADVICE)
    }
}

async fn of_lake(catalog: &Catalog, stores: &Stores, scratch: &Path, lake: &LakeInfo) -> Result<Found, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    if let Location::Folder(folder) = Location::parse(&lake.data_path).map_err(|e| text(&e))?
        && !folder.is_dir()
    {
        return Err(format!("the folder {} is not there", folder.display()));
    }
    let named = sizes(catalog, lake).await?;
    let files = stores.open(&lake.data_path, scratch, lake.name.as_str()).map_err(|e| text(&e))?;
    let stored: HashMap<String, u64> = files
        .list()
        .await
        .map_err(|e| text(&e))?
        .into_iter()
        .map(|file| (last_part(&file.path).to_owned(), file.size_bytes))
        .collect();
    let is_wrong = |name: &str, size: u64| stored.get(name).is_none_or(|there| *there != size);
    let mut found = Found { looked_at: named.len(), ..Found::default() };
    let mut wrong: Vec<(&String, &u64)> = named.iter().filter(|(name, size)| is_wrong(name, **size)).collect();
    if !wrong.is_empty() {
        // Files that were merged or expired meanwhile are named no more, and may be deleted.
        let now = sizes(catalog, lake).await?;
        wrong.retain(|(name, _)| now.contains_key(*name));
    }
    wrong.sort();
    for (name, _) in wrong {
        let of = if stored.contains_key(name) { &mut found.other } else { &mut found.missing };
        of.push(name.clone());
    }
    Ok(found)
}

async fn sizes(catalog: &Catalog, lake: &LakeInfo) -> Result<HashMap<String, u64>, String> {
    let mut all = HashMap::new();
    let each = |path: &str, size: u64| {
        all.insert(last_part(path).to_owned(), size);
    };
    catalog.each_live_file(lake.id, each).await.map_err(|e| e.to_string())?;
    Ok(all)
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
