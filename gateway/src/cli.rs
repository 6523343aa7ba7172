//! The command line.

use std::process::ExitCode;

/// Entry of the binary.
pub fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|verb| verb == "engine")
    {
        return crate::engine::worker::main();
    }
    ExitCode::SUCCESS
}
