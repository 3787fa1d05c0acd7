//! AWS as the other rooms see it: one session per cell that counts its calls and keeps to AWS's pace, reads and writes by
//! different types, and errors that say what to do next.

mod calls;
mod error;
mod gate;
mod http;
mod pace;
mod rates;
mod retries;
#[cfg(test)]
mod scripted;
mod session;

pub use calls::{CallCount, Calls, polling};
pub use error::{AwsError, Class, Doing};
pub use pace::{Requester, on_behalf_of};
pub use rates::{Bottleneck, bottleneck};
pub use session::{Access, Credentials, Reader, Session, Writer};
