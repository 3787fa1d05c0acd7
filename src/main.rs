use std::process::ExitCode;

fn main() -> ExitCode {
    tierctl::cli::main(std::env::args_os())
}
