//! DROP DATABASE. Once it has begun it comes to its end, whether or not whoever asked for it waits: half a lake would be of no
//! use to anybody.

use std::{sync::Arc, time::Duration};

use duckmesh_catalog::{LakeInfo, LakeName};
use tokio::sync::OwnedMutexGuard;

use super::{Lakes, OpenLake};
use crate::{
    commands::failure,
    wire::{PgError, PgResult, SqlState},
};

impl Lakes {
    /// Drops a lake that nobody is connected to. `begins` is called when it is too late to stop it.
    ///
    /// # Errors
    /// 55006 while sessions use it, 3D000 if there is none.
    pub async fn drop_lake(self: &Arc<Self>, name: &LakeName, begins: impl FnOnce()) -> PgResult<()> {
        let place = self.place(name);
        let open = place.clone().lock_owned().await;
        let info = match self.droppable(&open, name).await {
            Ok(info) => info,
            Err(error) => {
                drop(open);
                self.leave(name, &place);
                return Err(error);
            }
        };
        begins();
        let lakes = self.clone();
        let work = tokio::spawn(async move {
            let dropped = lakes.destroy(open, &info).await;
            lakes.leave(&info.name, &place);
            dropped
        });
        work.await.map_err(PgError::internal)?
    }

    async fn droppable(&self, open: &Option<Arc<OpenLake>>, name: &LakeName) -> PgResult<LakeInfo> {
        let Some(info) = self.catalog.lake(name).await.map_err(failure::catalog)? else {
            return Err(PgError::new(SqlState::INVALID_CATALOG_NAME, format!("database \"{name}\" does not exist")));
        };
        let others = open.as_ref().map_or(0, |lake| Arc::strong_count(lake) - 1);
        if others > 0 {
            let text = format!("database \"{name}\" is being accessed by other users");
            let sessions = if others == 1 { "is 1 other session" } else { "are other sessions" };
            let detail = format!("There {sessions} using the database.");
            return Err(PgError::new(SqlState::OBJECT_IN_USE, text).detail(detail));
        }
        Ok(info)
    }

    async fn destroy(&self, mut open: OwnedMutexGuard<Option<Arc<OpenLake>>>, info: &LakeInfo) -> PgResult<()> {
        if let Some(lake) = open.take() {
            lake.engine.shutdown().await;
            lake.lake.shutdown(Duration::ZERO).await;
        }
        // Another server that has the lake open must not be able to append to it any more.
        self.bus(&info.name).await?.drop_lane(info.id).await.map_err(failure::bus)?;
        self.catalog.drop_lake(info.id).await.map_err(failure::catalog)?;
        self.drop_files(info).await;
        match tokio::fs::remove_dir_all(&self.folder(&info.name)).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(PgError::internal(error)),
            _ => Ok(()),
        }
    }
}
