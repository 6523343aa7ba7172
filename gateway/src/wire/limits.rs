//! Every limit of the wire, with its default.

use std::time::Duration;

/// Ends of everything a client can make grow.
#[derive(Clone, Debug)]
pub struct WireLimits {
    /// From the accepted socket to a complete startup packet; the same again for opening the session.
    pub startup_deadline: Duration,
    /// A packet before authentication.
    pub startup_bytes_max: usize,
    /// Query, Parse and Bind: an INSERT of 16 MiB, and room for names and counts around it.
    pub query_bytes_max: usize,
    /// One CopyData message; it is taken in slices as it arrives, never collected.
    pub copy_data_bytes_max: usize,
    /// Every other message.
    pub small_bytes_max: usize,
    /// How much is read ahead while a statement runs.
    pub read_ahead_bytes_max: usize,
    /// Answers are sent when this much is there, or when there is nothing else to do.
    pub flush_bytes: usize,
    /// Answers kept back until the implicit transaction they belong to is durable.
    pub held_bytes_max: usize,
    /// A client that takes nothing for this long is dropped.
    pub write_deadline: Duration,
    /// Prepared statements of one session.
    pub statements_max: usize,
    /// Text of all prepared statements of one session.
    pub statement_bytes_max: usize,
    /// Portals of one session.
    pub portals_max: usize,
    /// Parameters of all portals of one session.
    pub portal_bytes_max: usize,
    /// Sessions.
    pub connections_max: usize,
    /// Sockets that have not said who they are.
    pub unauthenticated_max: usize,
    /// Sockets of one address; loopback is exempt, a pooler sits there.
    pub connections_per_ip_max: usize,
    /// How long running statements may finish after a shutdown was asked for.
    pub drain: Duration,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Default for WireLimits {
    fn default() -> Self {
        Self {
            startup_deadline: Duration::from_secs(10),
            startup_bytes_max: 10_000,
            query_bytes_max: 16 * MIB + 64 * KIB,
            copy_data_bytes_max: 64 * MIB,
            small_bytes_max: 10_000,
            read_ahead_bytes_max: 256 * KIB,
            flush_bytes: 64 * KIB,
            held_bytes_max: 16 * MIB,
            write_deadline: Duration::from_secs(60),
            statements_max: 2_000,
            statement_bytes_max: 64 * MIB,
            portals_max: 200,
            portal_bytes_max: 64 * MIB,
            connections_max: 200,
            unauthenticated_max: 100,
            connections_per_ip_max: 50,
            drain: Duration::from_secs(30),
        }
    }
}
