//! AWS as the other rooms see it: one session per cell that counts its calls, reads and writes by different types,
//! and errors that say what to do next.

mod calls;
mod error;
mod session;

pub use calls::{CallCount, Calls, polling};
pub use error::{AwsError, Class, Doing};
pub use session::{Access, Credentials, Reader, Session, Writer};
