//! The engine: whether DuckDB's library runs in a worker, and which of the kernel's walls stand around it.

use std::path::PathBuf;

use super::Check;
use crate::{
    config::Config,
    engine::{Engine, EngineOptions},
};

pub(super) async fn look(config: &Config) -> Vec<Check> {
    let folder = match tempfolder() {
        Ok(folder) => folder,
        Err(e) => return vec![Check::failed("engine", e.to_string(), "A temporary folder is needed: see TMPDIR.")],
    };
    let checks = match std::env::current_exe() {
        Ok(program) => start(config, program, &folder).await,
        Err(e) => vec![Check::failed("engine", e.to_string(), "The program must be able to find itself (/proc).")],
    };
    let _ = std::fs::remove_dir_all(&folder);
    checks
}

async fn start(config: &Config, program: PathBuf, folder: &std::path::Path) -> Vec<Check> {
    let mut options = EngineOptions::new(program, vec![folder.to_owned()], folder.join("spill"));
    options.memory_bytes = config.engine_memory_bytes;
    options.threads = config.engine_threads as usize;
    options.spill_bytes = config.engine_temp_bytes;
    let engine = Engine::new(options);
    let status = engine.status().await;
    engine.shutdown().await;
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            let advice =
                "libduckdb.so must be beside the program, in the version it was built for, with ICU, JSON and Parquet.";
            return vec![Check::failed("engine", error.to_string(), advice)];
        }
    };
    let mut checks = vec![Check::ok("engine", format!("DuckDB {}", status.duckdb))];
    for wall in status.walls {
        let name = format!("wall {}", wall.name);
        checks.push(if wall.stands {
            Check::ok(&name, wall.detail)
        } else {
            Check::warning(&name, wall.detail, advice(&wall.name))
        });
    }
    checks
}

fn advice(wall: &str) -> &'static str {
    match wall {
        "landlock" => {
            "Linux 5.13 or newer with landlock in the list of security modules (lsm=) keeps queries from other files."
        }
        "seccomp" => "A kernel with seccomp filters keeps queries from the network; some containers forbid them.",
        _ => "The worker runs without this limit: use a kernel, or a container, that allows it.",
    }
}

fn tempfolder() -> std::io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("duckmesh-doctor-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("spill"))?;
    Ok(folder)
}
