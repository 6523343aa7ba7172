//! Cancel requests for connections of other servers: the backend id has the slot of its server, and that server's Postgres
//! port takes the request as the client would have sent it. The key alone says whether it counts; there is no answer.

use std::{sync::Arc, time::Duration};

use duckmesh_catalog::Catalog;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, mpsc},
    time::timeout,
};

use crate::wire::cancel::{Request, cancel_packet};

/// Passed on at once: a flood of requests costs a few connections, and the rest of it is dropped.
const AT_ONCE: usize = 8;
/// How long passing one on may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Passes requests on until nobody can make any more.
pub async fn forward(
    catalog: Catalog,
    own_slot: i64,
    own_address: Option<String>,
    mut requests: mpsc::Receiver<Request>,
) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    while let Some(request) = requests.recv().await {
        if request.slot == own_slot {
            continue;
        }
        let Ok(permit) = slots.clone().acquire_owned().await else { return };
        let (catalog, own_address) = (catalog.clone(), own_address.clone());
        tokio::spawn(async move {
            let _permit = permit;
            match timeout(DEADLINE, pass_on(&catalog, own_address.as_deref(), &request)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(slot = request.slot, %error, "a cancel request was not passed on"),
                Err(_) => tracing::debug!(slot = request.slot, "a cancel request was not passed on in time"),
            }
        });
    }
}

async fn pass_on(
    catalog: &Catalog,
    own_address: Option<&str>,
    request: &Request,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let Some(address) = catalog.gateway_of_slot(request.slot).await? else { return Ok(()) };
    // A row that is older than this server's start must not make it talk to itself.
    if Some(address.as_str()) == own_address {
        return Ok(());
    }
    let mut socket = TcpStream::connect(&address).await?;
    socket.write_all(&cancel_packet(request)).await?;
    // It closes when it has done it.
    let _ = socket.read(&mut [0]).await?;
    Ok(())
}
