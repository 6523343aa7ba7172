//! The command line: one binary, a few verbs.

mod doctor;
mod incarnation;
mod lag;
mod migrate;

use std::{future::Future, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::{
    config::{self, Config, Options},
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
enum AdminCommand {
    /// Go on with what the database has, after a failover or a restore that may have lost acknowledged writes
    NewIncarnation {
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Subcommand)]
enum Command {
    /// Serve Postgres clients
    Serve {
        #[command(flatten)]
        settings: Settings,
    },
    /// Bring the tables of catalog and log up to date, and print what was done
    Migrate {
        #[command(flatten)]
        settings: Settings,
    },
    /// Check all that a server needs here, and say what to do; exit code 1 where it would not work
    Doctor {
        #[command(flatten)]
        settings: Settings,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Also look whether every file that the lakes' catalogs name is in the store
        #[arg(long)]
        files: bool,
    },
    /// Show for each lake what is in the log and not yet visible, and who publishes
    Lag {
        #[command(flatten)]
        settings: Settings,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What only an operator may decide
    Admin {
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// Print the reference of all options
    #[command(hide = true)]
    ConfigReference,
    /// The engine's worker process
    #[command(hide = true)]
    Engine,
}

/// What every command takes: flags win over the environment, and that over the file.
#[derive(Args)]
struct Settings {
    /// TOML file with the same options
    #[arg(long, env = "DUCKMESH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Box<Options>,
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
        Command::Serve { settings } => ended(serve_command(settings).map(|()| true)),
        Command::Admin { command: AdminCommand::NewIncarnation { settings } } => {
            ended(settings.load().and_then(|config| on_runtime(incarnation::run(&config))).map(|()| true))
        }
        Command::Migrate { settings } => {
            ended(settings.load().and_then(|config| on_runtime(migrate::run(&config))).map(|()| true))
        }
        Command::Doctor { settings, json, files } => {
            ended(settings.load().and_then(|config| on_runtime(doctor::run(&config, json, files))))
        }
        Command::Lag { settings, json } => {
            ended(settings.load().and_then(|config| on_runtime(lag::run(&config, json))).map(|()| true))
        }
    }
}

fn ended(done: anyhow::Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("duckmesh: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Settings {
    fn load(self) -> anyhow::Result<Config> {
        let from_file = self.config.as_deref().map(Options::from_file).transpose()?.unwrap_or_default();
        self.options.or(from_file).resolve()
    }
}

fn on_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn serve_command(settings: Settings) -> anyhow::Result<()> {
    let config = settings.load()?;
    // Postgres' notices ("relation already exists, skipping") are of no use to an operator who did not ask for them.
    let filter = tracing_subscriber::EnvFilter::try_new(format!("tokio_postgres=warn,{}", config.log))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if config.log_json {
        subscriber.json().init()
    } else {
        subscriber.init()
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("duckmesh").build()?;
    let served = runtime.block_on(serve::run(config, serve::termination()));
    // A thread that hangs must not keep the process.
    runtime.shutdown_timeout(ABANDON_AFTER);
    served
}

/// How long the end waits for threads that are at something.
const ABANDON_AFTER: std::time::Duration = std::time::Duration::from_secs(2);
