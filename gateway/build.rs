//! Puts the prebuilt DuckDB library beside the binary, so that it is found without `LD_LIBRARY_PATH`.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    let Some(lib_dir) = env::var_os("DUCKDB_LIB_DIR").map(PathBuf::from) else {
        return;
    };
    let Some(out_dir) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    // OUT_DIR is <profile>/build/<crate>-<hash>/out; binaries are in <profile>, test binaries in <profile>/deps.
    let Some(profile_dir) = out_dir.ancestors().nth(3) else {
        return;
    };
    let name =
        if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") { "libduckdb.dylib" } else { "libduckdb.so" };
    let from = lib_dir.join(name);
    // Also while it is missing, so that fetching it is noticed.
    println!("cargo:rerun-if-changed={}", from.display());
    let Ok(size_bytes) = fs::metadata(&from).map(|m| m.len()) else {
        panic!("{} is not there: run `make duckdb` first", from.display());
    };
    let to = profile_dir.join(name);
    if fs::metadata(&to).ok().map(|m| m.len()) != Some(size_bytes) {
        let _ = fs::remove_file(&to);
        fs::copy(&from, &to).expect("copy the DuckDB library beside the binary");
    }
    let origin = if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") { "@loader_path" } else { "$ORIGIN" };
    for dir in [origin.to_string(), format!("{origin}/.."), format!("{origin}/../lib")] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{dir}");
    }
}
