//! The `duckmesh` binary.

fn main() -> std::process::ExitCode {
    duckmesh::cli::main()
}
