//! From the accepted socket to a startup packet, reading exactly what it asks for.

use std::net::SocketAddr;

use tokio::time::timeout;

use super::{
    PgError, PgResult, SqlState, WireLimits,
    cancel::CancelRegistry,
    fault::Fault,
    pipe::{Pipe, Socket},
    startup::{Greeting, Opening},
};

const LENGTH_BYTES: usize = 4;

/// The client's startup packet. A cancel request is served here and ends the connection, without an answer.
pub(super) async fn greet<S: Socket>(
    pipe: &mut Pipe<S>,
    peer: Option<SocketAddr>,
    registry: &CancelRegistry,
    limits: &WireLimits,
) -> Result<Greeting, Fault> {
    match timeout(limits.startup_deadline, openings(pipe, peer, registry, limits)).await {
        Ok(greeting) => greeting,
        Err(_) => Err(Fault::Gone),
    }
}

async fn openings<S: Socket>(
    pipe: &mut Pipe<S>,
    peer: Option<SocketAddr>,
    registry: &CancelRegistry,
    limits: &WireLimits,
) -> Result<Greeting, Fault> {
    let (mut ssl_asked, mut gss_asked) = (false, false);
    loop {
        let length = packet_length(pipe, limits).await?;
        pipe.read_exactly(length).await?;
        let packet = pipe.input.split_to(length);
        match Opening::read(packet.get(LENGTH_BYTES..).unwrap_or_default())? {
            Opening::Ssl if !ssl_asked => ssl_asked = true,
            Opening::GssEncryption if !gss_asked => gss_asked = true,
            Opening::Ssl | Opening::GssEncryption => {
                return Err(violation("encryption was asked for twice").into());
            }
            Opening::Cancel { id, key } => {
                registry.hear(peer.map(|peer| peer.ip()), id, key).await;
                return Err(Fault::Gone);
            }
            Opening::Startup { version, parameters } => return Ok(Greeting::read(version, parameters, peer)?),
        }
        pipe.output.extend_from_slice(b"N");
        pipe.flush().await?;
    }
}

/// The packet's length with the length itself. It is checked before one more byte is read.
async fn packet_length<S: Socket>(pipe: &mut Pipe<S>, limits: &WireLimits) -> Result<usize, Fault> {
    pipe.read_exactly(LENGTH_BYTES).await?;
    let length = pipe.input.first_chunk::<LENGTH_BYTES>().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    check_length(length as usize, limits).map_err(Fault::from)
}

fn check_length(length: usize, limits: &WireLimits) -> PgResult<usize> {
    if (2 * LENGTH_BYTES..=limits.startup_bytes_max).contains(&length) {
        Ok(length)
    } else {
        Err(violation("invalid length of startup packet"))
    }
}

fn violation(message: &str) -> PgError {
    PgError::fatal(SqlState::PROTOCOL_VIOLATION, message)
}
