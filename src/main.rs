//! The program: everything is in the library.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(trialdeck::cli::main())
}
