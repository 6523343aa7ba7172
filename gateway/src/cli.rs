//! The command line: one binary, a few verbs.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    config::{self, Options},
    engine, serve,
};

/// A Postgres server for analytics on an open DuckLake.
#[derive(Parser)]
#[command(name = "duckmesh", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve Postgres clients
    Serve {
        /// TOML file with the same options
        #[arg(long, env = "DUCKMESH_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        options: Box<Options>,
    },
    /// Print the reference of all options
    #[command(hide = true)]
    ConfigReference,
    /// The engine's worker process
    #[command(hide = true)]
    Engine,
}

/// Entry of the binary.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Engine => engine::worker::main(),
        Command::ConfigReference => {
            print!("{}", config::reference());
            ExitCode::SUCCESS
        }
        Command::Serve { config, options } => match serve_command(config, *options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("duckmesh: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn serve_command(file: Option<PathBuf>, options: Options) -> anyhow::Result<()> {
    let from_file = file.as_deref().map(Options::from_file).transpose()?.unwrap_or_default();
    let config = options.or(from_file).resolve()?;
    // Postgres' notices ("relation already exists, skipping") are of no use to an operator who did not ask for them.
    let filter = tracing_subscriber::EnvFilter::try_new(format!("tokio_postgres=warn,{}", config.log))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if config.log_json {
        subscriber.json().init()
    } else {
        subscriber.init()
    }
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("duckmesh")
        .build()?
        .block_on(serve::run(config, serve::termination()))
}
