//! One connection from its socket to its end.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::time::timeout;

use super::{
    PgError, SqlState,
    backend::{Connector, Session, Status},
    cancel::{CancelRegistry, LONG_KEY_BYTES, Registration, SHORT_KEY_BYTES},
    fault::Fault,
    handshake,
    limits::WireLimits,
    listener::{Shutdown, Ticket},
    pipe::{Pipe, Socket},
    reply,
    session_loop::Conversation,
    startup::Greeting,
};

/// Highest version of the protocol offered, as NegotiateProtocolVersion writes it.
const MAJOR: i32 = 3 << 16;
/// How long the last words may take.
const LINGER: Duration = Duration::from_millis(500);

/// Serves one client until it leaves, breaks the protocol, or the server shuts down. A panic ends this connection
/// only.
pub async fn serve_connection<S: Socket, C: Connector>(
    socket: S,
    peer: Option<SocketAddr>,
    connector: Arc<C>,
    registry: Arc<CancelRegistry>,
    limits: Arc<WireLimits>,
    shutdown: Shutdown,
    mut ticket: Ticket,
) {
    let mut pipe = Pipe::new(socket, &limits);
    let talk = async {
        let mut stop = shutdown.clone();
        let greeting = tokio::select! {
            greeting = handshake::greet(&mut pipe, peer, &registry, &limits) => greeting.map_err(before_ready)?,
            () = stop.requested() => return Err(Fault::Fatal(closing())),
        };
        ticket.admit()?;
        let (user, database) = (greeting.startup.user.clone(), greeting.startup.database.clone());
        let registration = registry.register();
        let session = connect(&mut pipe, greeting, &*connector, &registration, &limits).await.map_err(before_ready)?;
        tracing::info!(id = registration.id(), ?peer, user, database, "session opened");
        let mut conversation = Conversation::new(&mut pipe, session, &registration, &limits, shutdown);
        let ended = conversation.run().await;
        conversation.close().await;
        tracing::info!(id = registration.id(), ?peer, "session closed");
        ended
    };
    let ended = match AssertUnwindSafe(talk).catch_unwind().await {
        Ok(Ok(())) => None,
        Ok(Err(Fault::Statement(error) | Fault::Fatal(error))) => Some(error),
        Ok(Err(Fault::Gone)) => return,
        Err(panic) => {
            if let Some(at) = pipe.unfinished.take() {
                pipe.output.truncate(at);
            }
            Some(PgError::internal(format!("panic: {}", panic_text(panic.as_ref()))))
        }
    };
    if let Some(error) = ended {
        tracing::info!(?peer, code = error.code().0, "connection ended by an error");
        // Answers kept back for a commit that will not come must not be sent.
        pipe.drop_held();
        reply::error(&mut pipe.output, &error.into_fatal());
    }
    pipe.finish(LINGER).await;
}

/// Opens the session and says all that comes before the first ReadyForQuery.
async fn connect<S: Socket, C: Connector>(
    pipe: &mut Pipe<S>,
    mut greeting: Greeting,
    connector: &C,
    registration: &Registration,
    limits: &WireLimits,
) -> Result<C::Session, Fault> {
    if greeting.lowered || !greeting.unknown_options.is_empty() {
        let version = MAJOR | i32::from(greeting.minor);
        reply::negotiate_version(&mut pipe.output, version, greeting.unknown_options);
    }
    greeting.startup.process_id = registration.id();
    let opening = connector.connect(greeting.startup, registration.cancel().clone());
    let mut session = timeout(limits.startup_deadline, opening)
        .await
        .map_err(|_| PgError::fatal(SqlState::CANNOT_CONNECT_NOW, "the session could not be opened in time"))??;
    reply::authentication_ok(&mut pipe.output);
    for (name, value) in session.take_parameter_changes() {
        reply::parameter_status(&mut pipe.output, name, value);
    }
    let key = match greeting.minor {
        0 => SHORT_KEY_BYTES,
        _ => LONG_KEY_BYTES,
    };
    reply::backend_key(&mut pipe.output, registration.id(), registration.make_key(key)?);
    for notice in session.take_notices() {
        reply::error(&mut pipe.output, &notice);
    }
    reply::ready(&mut pipe.output, Status::Idle);
    if pipe.flush().await.is_err() {
        session.close().await;
        return Err(Fault::Gone);
    }
    Ok(session)
}

/// Every error before the first ReadyForQuery ends the connection.
fn before_ready(fault: Fault) -> Fault {
    match fault {
        Fault::Statement(error) => Fault::Fatal(error.into_fatal()),
        other => other,
    }
}

fn closing() -> PgError {
    PgError::fatal(SqlState::CANNOT_CONNECT_NOW, "the database system is shutting down")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
