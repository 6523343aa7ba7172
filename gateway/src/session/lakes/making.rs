//! CREATE DATABASE. Once it has begun it comes to its end, whether or not whoever asked for it waits: a lake half made would
//! keep its name from everybody until the next start.

use std::sync::Arc;

use duckmesh_catalog::{ErrorKind, LakeName};

use super::{Lakes, data_path};
use crate::{
    commands::failure,
    wire::{PgError, PgResult, SqlState},
};

impl Lakes {
    /// Makes a lake. `begins` is called when it is too late to stop it.
    ///
    /// # Errors
    /// 42P04 if it exists.
    pub async fn create(self: &Arc<Self>, name: &LakeName, begins: impl FnOnce()) -> PgResult<()> {
        let place = self.place(name);
        // A lake of the name that is being dropped takes its folder with it.
        let held = match self.catalog.patiently(place.clone().lock_owned()).await {
            Ok(held) => held,
            Err(error) => {
                self.leave(name, &place);
                return Err(failure::catalog(error));
            }
        };
        begins();
        let (lakes, name) = (self.clone(), name.clone());
        let work = tokio::spawn(async move {
            let created = lakes.create_in(&name).await;
            drop(held);
            lakes.leave(&name, &place);
            created
        });
        work.await.map_err(PgError::internal)?
    }

    async fn create_in(&self, name: &LakeName) -> PgResult<()> {
        let data_path = match &self.config.storage {
            None => {
                let files = self.folder(name).join("files");
                tokio::fs::create_dir_all(&files).await.map_err(PgError::internal)?;
                format!("{}/", files.display())
            }
            Some(storage) => data_path(storage, name),
        };
        self.catalog.create_lake(name, &data_path).await.map(drop).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                PgError::new(SqlState::DUPLICATE_DATABASE, format!("database \"{name}\" already exists"))
            }
            _ => failure::catalog(error),
        })
    }
}
