//! How a run ends: its exit code, and what is said of a failure.

use std::process::ExitCode;

use crate::aws::AwsError;
use crate::spec::Findings;

/// Exit codes that pipelines build on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Error, failure, timeout, or wrong usage.
    Failed,
    /// Only from `plan --detailed-exitcode`: changes are pending.
    Pending,
    /// Nothing failed, but something is refused or waits for somebody else.
    Blocked,
    Interrupted,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Pending => 2,
            Self::Blocked => 3,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The specs are wrong.
    Specs(Findings),
    /// AWS refused or could not be reached.
    Aws(AwsError),
    /// Anything else: what went wrong, and the next step.
    Other { message: String, remedy: String },
    /// The reader of our output has gone: no error, and nobody to tell.
    ClosedPipe,
}

impl Failure {
    pub fn usage(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Other { message: message.into(), remedy: remedy.into() }
    }
}

impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::usage(format!("writing the output failed: {error}"), "check where the output goes"),
        }
    }
}
